// Writes IMAP responses into a buffer that the session drains.
// RFC 3501 7, RFC 3501 9 (response); RFC 5530 (codes); Q8, Q23, Q33.
// Bytes for the wire come from here alone, so that quoting is decided in one place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "base/limits.h"
#include "wire/imap/flags.h"
#include "wire/imap/mailbox_name.h"
#include "wire/imap/seqset.h"

namespace godwit::imap {

enum class Condition : std::uint8_t { Ok, No, Bad, Bye, Preauth };

/// Response codes without arguments. RFC 3501 7.1, RFC 5530 3, RFC 4469 4.2 (TOOBIG), RFC 9586 3
/// (UIDREQUIRED).
namespace code {
inline constexpr std::string_view kAlert = "ALERT";
inline constexpr std::string_view kParse = "PARSE";
inline constexpr std::string_view kReadOnly = "READ-ONLY";
inline constexpr std::string_view kReadWrite = "READ-WRITE";
inline constexpr std::string_view kTryCreate = "TRYCREATE";
inline constexpr std::string_view kTooBig = "TOOBIG";
inline constexpr std::string_view kClosed = "CLOSED";
inline constexpr std::string_view kBadCharset = "BADCHARSET (US-ASCII UTF-8)";
inline constexpr std::string_view kUnavailable = "UNAVAILABLE";
inline constexpr std::string_view kAuthenticationFailed = "AUTHENTICATIONFAILED";
inline constexpr std::string_view kAuthorizationFailed = "AUTHORIZATIONFAILED";
inline constexpr std::string_view kPrivacyRequired = "PRIVACYREQUIRED";
inline constexpr std::string_view kContactAdmin = "CONTACTADMIN";
inline constexpr std::string_view kNoPerm = "NOPERM";
inline constexpr std::string_view kCompressionActive = "COMPRESSIONACTIVE";  ///< RFC 4978 3.
inline constexpr std::string_view kUseAttr = "USEATTR";                      ///< RFC 6154 3.
inline constexpr std::string_view kInUse = "INUSE";
inline constexpr std::string_view kExpungeIssued = "EXPUNGEISSUED";
inline constexpr std::string_view kCorruption = "CORRUPTION";
inline constexpr std::string_view kUnknownCte = "UNKNOWN-CTE";
inline constexpr std::string_view kServerBug = "SERVERBUG";
inline constexpr std::string_view kClientBug = "CLIENTBUG";
inline constexpr std::string_view kCannot = "CANNOT";
inline constexpr std::string_view kLimit = "LIMIT";
inline constexpr std::string_view kOverQuota = "OVERQUOTA";
inline constexpr std::string_view kAlreadyExists = "ALREADYEXISTS";
inline constexpr std::string_view kNonExistent = "NONEXISTENT";
inline constexpr std::string_view kUidRequired = "UIDREQUIRED";
inline constexpr std::string_view kUrlMech = "URLMECH INTERNAL";  ///< RFC 4467 8: the only one.

std::string uid_validity(UidValidity value);
std::string uid_next(Uid value);
/// The first unseen message's sequence number.
std::string unseen(std::uint32_t sequence_number);
/// RFC 7162 3.1.2.1: never below 1.
std::string highest_mod_seq(ModSeq value);
/// RFC 7162 3.1.3. `set` is of numbers or of uids, as the command's was.
std::string modified(const NumberSet& set);
/// RFC 5267 4.3.1: the tag of the search that is not kept up.
std::string no_update(std::string_view tag);
/// RFC 9738 3.1: at most `limit` messages; `lowest` is the uid from which on there are so many.
std::string message_limit(std::size_t limit, Uid lowest);
/// RFC 4469 4.1. `url` is the client's own; what may not stand in a code is escaped in it.
std::string bad_url(std::string_view url);
/// RFC 4315 3; RFC 3502: in the order in which the messages were given.
std::string append_uid(UidValidity validity, std::span<const Uid> uids);
/// RFC 4315 3. The n-th source became the n-th target; neither is empty.
std::string copy_uid(UidValidity validity, std::span<const Uid> sources,
                     std::span<const Uid> targets);
/// `list` is the words of a CAPABILITY response, separated by SP.
std::string capability(std::string_view list);
}  // namespace code

/// Appends to a buffer it owns. Nothing is sent from here: when should_drain() says so, and at the
/// end of a command, the session takes the bytes and writes them.
class ResponseWriter {
public:
    /// Names and quoted strings may then hold UTF-8 (RFC 6855 3).
    void set_spelling(NameSpelling spelling) { spelling_ = spelling; }

    [[nodiscard]] bool should_drain() const {
        return out_.size() >= limits::stream_write_buffer_max;
    }
    [[nodiscard]] bool empty() const { return out_.empty(); }
    [[nodiscard]] std::size_t size() const { return out_.size(); }
    [[nodiscard]] std::string_view view() const { return out_; }
    [[nodiscard]] std::string take() { return std::exchange(out_, {}); }

    // Whole lines.
    /// `tag` CONDITION [code] text. The text is never empty on the wire (Q33); `code` may be.
    void tagged(std::string_view tag, Condition condition, std::string_view code,
                std::string_view text);
    /// * CONDITION [code] text.
    void untagged(Condition condition, std::string_view code, std::string_view text);
    /// "+ text": never without its SP (Q33).
    void continuation(std::string_view text);
    /// "+ base64" of a SASL challenge; "+ " alone for an empty one (RFC 3501 6.2.2).
    void challenge(std::string_view base64);
    /// * `words`, as it is: for CAPABILITY, ENABLED, BAD-free data lines.
    void line(std::string_view words);
    /// * n EXISTS, * n EXPUNGE, * n RECENT.
    void numbered(std::uint32_t number, std::string_view word);

    // Pieces, chained: w.raw("* LIST (").raw(...).
    ResponseWriter& raw(std::string_view bytes) {
        out_.append(bytes);
        return *this;
    }
    ResponseWriter& number(std::uint64_t value);
    ResponseWriter& crlf() { return raw("\r\n"); }
    /// Quoted where it may be, else a literal. NUL octets, which no string may hold (RFC 3501 9,
    /// CHAR8), are left out.
    ResponseWriter& string(std::string_view value);
    /// NIL for nullopt.
    ResponseWriter& nstring(const std::optional<std::string>& value);
    /// Bare where it may be an atom, else as string().
    ResponseWriter& astring(std::string_view value);
    /// A UTF-8 mailbox name in this session's spelling, quoted (Q23).
    ResponseWriter& mailbox(std::string_view utf8);
    /// "(\Seen Junk)"; `recent` adds \Recent.
    ResponseWriter& flags(const FlagSet& flags, bool recent = false);
    /// "(\Seen Junk \*)" with \* for PERMANENTFLAGS where new keywords may be made (Q13).
    ResponseWriter& permanent_flags(const FlagSet& flags, bool may_create);
    /// In quotes.
    ResponseWriter& date_time(WallTime time);
    /// "{n}CRLF": exactly `size` octets must follow with raw() or straight to the stream.
    ResponseWriter& literal_header(std::uint64_t size);

private:
    void status(Condition condition, std::string_view code, std::string_view text);

    std::string out_;
    NameSpelling spelling_ = NameSpelling::Utf7;
};

}  // namespace godwit::imap
