// DNS as the house asks it. Seam: libunbound in production (unbound_resolver.h), a script in tests
// (scripted_resolver.h).
//
// An answer that says "there is none" is an answer; an error is always Temporary and means that
// nothing is known: Timeout, Unavailable (SERVFAIL, refused, too many questions), Corrupt (DNSSEC
// says bogus, or a malformed answer), LimitExceeded (limits.h dns_*). Never bounce mail on an
// error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/io/endpoint.h"
#include "net/io/task.h"
#include "net/tls/tlsa.h"

namespace godwit::net {

/// IANA numbers.
enum class RecordType : std::uint16_t {
    A = 1,
    Ns = 2,
    Cname = 5,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
    Tlsa = 52,
};

enum class DnsOutcome : std::uint8_t {
    Found,
    NoData,    ///< The name exists, without such records.
    NxDomain,  ///< The name does not exist.
};

/// What every answer says.
struct DnsFacts {
    DnsOutcome outcome = DnsOutcome::NoData;
    bool is_secure = false;         ///< DNSSEC-validated, by ourselves.
    std::uint32_t ttl_seconds = 0;  ///< Of the answer or of its absence.
    std::string canonical_name;     ///< Where CNAMEs led; the name asked when there were none.
};

/// Record data in wire form, names uncompressed; at most dns_records_max.
struct RecordSet : DnsFacts {
    std::vector<std::string> rdata;
};

struct MxHost {
    std::uint16_t preference = 0;
    std::string host;  ///< Lower case, no trailing dot.
    auto operator<=>(const MxHost&) const = default;
};
struct MxAnswer : DnsFacts {
    std::vector<MxHost> hosts;  ///< By preference, then name.
    bool is_null_mx = false;    ///< RFC 7505: the domain takes no mail; hosts is empty.
};
struct AddressAnswer : DnsFacts {
    std::vector<IpAddress> addresses;  ///< IPv6 first.
};
struct SrvHost {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string host;  ///< Lower case, no trailing dot; empty: "." (no such service).
    auto operator<=>(const SrvHost&) const = default;
};
/// RFC 2782.
struct SrvAnswer : DnsFacts {
    std::vector<SrvHost> hosts;
};
struct NamesAnswer : DnsFacts {
    std::vector<std::string> names;  ///< Lower case, no trailing dot.
};
struct TextAnswer : DnsFacts {
    std::vector<std::string> texts;  ///< The strings of a record joined; any bytes.
};
struct TlsaAnswer : DnsFacts {
    std::vector<TlsaRecord> records;  ///< Malformed ones left out (T19).
};

enum class AddressFamilies : std::uint8_t { Both, V4, V6 };

/// Names are given in ASCII (A-labels), with or without a trailing dot. Any shard. The resolver
/// outlives the wait.
class Resolver {
public:
    virtual ~Resolver() = default;
    /// CNAMEs are followed, boundedly.
    virtual Task<Result<RecordSet>> lookup(std::string name, RecordType type) = 0;

    Task<Result<MxAnswer>> mx(std::string domain);
    /// A and AAAA at once. When one fails and the other has addresses, those are the answer.
    /// `is_secure` only when all parts were.
    Task<Result<AddressAnswer>> addresses(std::string host,
                                          AddressFamilies families = AddressFamilies::Both);
    Task<Result<SrvAnswer>> srv(std::string name);
    Task<Result<NamesAnswer>> ptr(IpAddress address);
    Task<Result<TextAnswer>> txt(std::string name);
    Task<Result<TlsaAnswer>> tlsa(std::string name);
};

/// "4.3.2.1.in-addr.arpa" or the nibbles under ip6.arpa.
std::string reverse_name(IpAddress address);

}  // namespace godwit::net
