// A Resolver that answers from lines, for tests and dialogs ("@dns ..."). One thread.
//     example.test MX 10 mx.example.test
//     example.test MX 0 .                    (null MX)
//     mx.example.test A 192.0.2.1            mx.example.test AAAA 2001:db8::1
//     www.example.test CNAME example.test    4.3.2.1.in-addr.arpa PTR host.example.test
//     _submission._tcp.example.test SRV 0 1 587 mx.example.test
//     example.test TXT v=spf1 -all           (the rest of the line is one text)
//     _25._tcp.mx.example.test TLSA 3 1 1 0123abcd...
//     example.test MX servfail | timeout | bogus | nodata     (that type alone; * for any type)
//     gone.test nxdomain
//     example.test secure                    (all its answers are DNSSEC-validated)
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "net/io/shard.h"
#include "net/resolver/resolver.h"

namespace godwit::net {

class ScriptedResolver final : public Resolver {
public:
    /// Adds one line; Peer/Invalid when it cannot be read. Names never mentioned do not exist; a
    /// name with records of other types has no data.
    Result<> add(std::string_view line);
    /// Several lines; empty ones and those that start with # are skipped.
    Result<> add_lines(std::string_view text);
    /// Forgets what is known of `name`.
    void remove(std::string_view name);
    void clear();

    Task<Result<RecordSet>> lookup(std::string name, RecordType type) override;
    [[nodiscard]] std::uint64_t lookups() const { return lookups_; }
    /// The nth lookup from here on fails with Unavailable; 0: none.
    void fail_lookup(std::uint64_t nth);
    /// Each answer takes this long. Timeouts take dns_lookup_timeout. Default 0: answers at once.
    void set_latency(Duration latency) { latency_ = latency; }

private:
    enum class Failure : std::uint8_t { None, ServFail, Timeout, Bogus, NoData, NxDomain };
    struct Entry {
        std::map<RecordType, std::vector<std::string>> records;
        std::map<RecordType, Failure> failures;
        Failure any = Failure::None;
        bool is_secure = false;
    };
    Result<RecordSet> answer(const std::string& name, RecordType type) const;
    std::map<std::string, Entry, std::less<>> names_;
    std::uint64_t lookups_ = 0;
    std::uint64_t fail_at_ = 0;
    Duration latency_{};
};

}  // namespace godwit::net
