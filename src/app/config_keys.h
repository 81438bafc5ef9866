// The keys of the configuration file, as one table: parsing, `config effective`, `config check`,
// the reference in docs/operating/config.md and the sample file all derive from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "flow/settings.h"

namespace godwit::app {

/// A value as the file (or the command line) gave it.
struct OtherValue {
    std::string_view type;  ///< "floating-point number", "date": nothing a key takes.
};
using ConfigValue =
    std::variant<std::string, std::int64_t, bool, std::vector<std::string>, OtherValue>;

/// A field whose value is one of a few words.
struct WordField {
    std::span<const std::string_view> words;
    std::string* value;
};
/// An enum of one octet; `words` are its enumerators in order.
struct EnumField {
    std::span<const std::string_view> words;
    std::uint8_t* value;
};
/// Where a key's value lives in the settings. Its type is the key's type.
using FieldRef =
    std::variant<std::string*, std::uint16_t*, std::uint32_t*, std::uint64_t*, bool*,
                 std::chrono::seconds*, std::vector<std::string>*, WordField, EnumField>;

/// What a number in a field counts. In the file, sizes are written "50 MiB" and times "5 days".
enum class Unit : std::uint8_t { None, Octets, Kibibytes, Mebibytes, Days };
/// Whether a changed value is taken up by `godwit reload` or needs a restart.
enum class Applies : std::uint8_t { Reload, Restart };
enum class Shown : std::uint8_t { Plain, Secret };

/// One key of `Owner`, which is flow::Settings or the struct of one [[table]] entry.
template <class Owner>
struct ConfigKey {
    std::string_view path;  ///< "limits.message_size"; within an entry "protocol".
    FieldRef (*field)(Owner&);
    std::string_view help;
    Applies applies = Applies::Reload;
    Unit unit = Unit::None;
    Shown shown = Shown::Plain;
    /// Bounds of a number, in the file's smallest unit (octets, seconds).
    std::uint64_t min = 0;
    std::uint64_t max = std::numeric_limits<std::int64_t>::max();
};

std::span<const ConfigKey<flow::Settings>> settings_keys();
std::span<const ConfigKey<flow::ListenerSettings>> listener_keys();
std::span<const ConfigKey<flow::RouteSettings>> route_keys();
std::span<const ConfigKey<flow::RelayDomainSettings>> relay_domain_keys();
std::span<const ConfigKey<flow::EgressSettings>> egress_keys();
std::span<const ConfigKey<flow::ProviderSettings>> provider_keys();
std::span<const ConfigKey<flow::CertificateSettings>> certificate_keys();
std::span<const ConfigKey<flow::ZoneSettings>> zone_keys();
std::span<const ConfigKey<flow::TlsPolicySettings>> tls_policy_keys();
std::span<const ConfigKey<flow::WebHostSettings>> web_host_keys();

/// A [[table]] that may be given many times.
struct ConfigTable {
    std::string_view name;  ///< "listener".
    std::string_view help;
};
std::span<const ConfigTable> config_tables();

/// What kind of value the key takes, for people: "text", "size", "one of smtp, lmtp ...".
std::string type_of(const FieldRef& field, Unit unit);
/// Stores `value`. Peer error "expected ..., found ..." for a wrong type, a wrong word or a number
/// out of bounds; the field is unchanged then.
Result<> set_field(const FieldRef& field, Unit unit, std::uint64_t min, std::uint64_t max,
                   const ConfigValue& value);
/// The value as TOML: `"50 MiB"`, `true`, `["127.0.0.1:53"]`.
std::string show_field(const FieldRef& field, Unit unit);
/// Copies a value between fields of one key.
void copy_field(const FieldRef& from, const FieldRef& to);
/// Text of the command line as the value that this field takes ("a,b" for a list).
ConfigValue value_from_text(const FieldRef& field, std::string_view text);

/// "5 days", "90 s", "4h", "10 minutes". Peer error otherwise.
Result<std::chrono::seconds> parse_duration(std::string_view text);
std::string show_duration(std::chrono::seconds duration);
/// "50 MiB", "64 KiB", "1 GiB", "512" (octets). Peer error otherwise.
Result<std::uint64_t> parse_size(std::string_view text);
std::string show_size(std::uint64_t octets);

/// The candidate that is the fewest edits from `word`, or empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "smtp" for Protocol::Smtp, and so on.
std::string_view to_string(flow::Protocol protocol);

}  // namespace godwit::app
