// What a day's sessions with the exchangers of one domain came to, and the report that tells its
// owner: counts, JSON form, file name, mail. Pure. RFC 8460: the sections "Result Types", "JSON
// Report Schema", "Report Filename" and "Email Transport".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/address/address.h"

namespace godwit::mail {

/// Policies of one domain that a day's counts tell apart: one for each exchanger with TLSA records,
/// one more with each change of them. Sessions under further ones are only numbered.
inline constexpr std::size_t tls_report_policies_max = 10;
/// Kinds of failure (what, where, from and to which address) told apart under one policy; further
/// ones are in the sum alone. With the bounds below a domain's counts stay under half a mebibyte,
/// and are some 300 octets as a rule.
inline constexpr std::size_t tls_report_details_max = 16;
/// Lines of one policy, and names of its exchangers: of those with more the first are told.
inline constexpr std::size_t tls_report_lines_max = 32;
/// Octets of a line, of a name and of a reason.
inline constexpr std::size_t tls_report_text_size_max = 300;

enum class TlsPolicyType : std::uint8_t { None, Tlsa, Sts };
/// RFC 8460, "Result Types".
enum class TlsFailure : std::uint8_t {
    StarttlsNotSupported,
    CertificateHostMismatch,
    CertificateExpired,
    CertificateNotTrusted,
    ValidationFailure,
    TlsaInvalid,
    DnssecInvalid,
    DaneRequired,
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
};
/// As in the report: "no-policy-found", "starttls-not-supported" ...
std::string_view to_string(TlsPolicyType type);
std::string_view to_string(TlsFailure failure);

/// A policy as it was applied.
struct TlsPolicyText {
    TlsPolicyType type = TlsPolicyType::None;
    std::vector<std::string> lines{};  ///< Of an MTA-STS policy, or one a TLSA record.
    std::vector<std::string> hosts{};  ///< Exchangers that it is about; patterns with MTA-STS.
    bool operator==(const TlsPolicyText&) const = default;
};

/// Why sessions failed; how many when it stands in counts.
struct TlsFailureDetail {
    TlsFailure failure = TlsFailure::ValidationFailure;
    std::string sending_ip{};  ///< Ours; empty: there was no connection. So are the others.
    std::string receiving_host{};
    std::string receiving_helo{};
    std::string receiving_ip{};
    std::string reason{};  ///< For people.
    std::uint64_t sessions = 0;
    /// But for the number.
    [[nodiscard]] bool is_same(const TlsFailureDetail& other) const;
    bool operator==(const TlsFailureDetail&) const = default;
};

struct TlsPolicyCounts {
    TlsPolicyText policy{};
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    std::vector<TlsFailureDetail> details{};
    bool operator==(const TlsPolicyCounts&) const = default;
};

/// One domain's day.
struct TlsCounts {
    std::vector<TlsPolicyCounts> policies;
    std::uint64_t uncounted = 0;  ///< Sessions under policies beyond tls_report_policies_max.
    bool operator==(const TlsCounts&) const = default;
    [[nodiscard]] std::uint64_t succeeded() const;
    [[nodiscard]] std::uint64_t failed() const;
};

/// Within the bounds: texts are cut and made printable ASCII.
TlsPolicyText bounded(TlsPolicyText policy);
TlsFailureDetail bounded(TlsFailureDetail detail);
/// Adds what was counted elsewhere; bounds hold. Gives the octets, about, that `counts` has grown
/// by: 0 when it had all of `more` but the numbers.
std::size_t add_counts(TlsCounts& counts, const TlsCounts& more);

struct TlsReport {
    std::string organization;
    std::string contact;         ///< An address.
    std::string id;              ///< "LEFT@RIGHT": RFC 5322 3.6.4 without the brackets.
    std::string domain;          ///< In A-labels.
    std::int64_t begins_at = 0;  ///< Unix seconds; midnight UTC. It is about one day.
    TlsCounts counts;
};
/// The last second that the report is about.
std::int64_t ends_at(const TlsReport& report);
std::string to_json(const TlsReport& report);

/// "SUBMITTER!DOMAIN!BEGIN!END!ID.json.gz"; `unique` of letters and digits.
std::string tls_report_file_name(const TlsReport& report, std::string_view submitter,
                                 std::string_view unique);

struct TlsReportMail {
    Address from;
    Address to;
    std::string submitter;  ///< The domain of the contact address.
    std::string unique;     ///< As in the file name.
    std::int64_t now = 0;
    std::string message_id;     ///< "<...>"
    std::string boundary_seed;  ///< Unique text of [A-Za-z0-9].
};
/// The whole message, with CRLF, 7bit; what is about TLS is not to keep it (RFC 8689 5:
/// `TLS-Required: No`). Error: a value that cannot stand in a field.
Result<std::string> build_tls_report_mail(const TlsReport& report, const TlsReportMail& mail);

}  // namespace godwit::mail
