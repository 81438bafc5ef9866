// The client's side of an IMAP connection, which holds the server to what a session may see:
// sequence numbers change by EXISTS and EXPUNGE alone, and a number means one UID between them.
// RFC 3501 7.3.1, 7.4.1, 7.4.2; RFC 4315 3 (APPENDUID, COPYUID); RELIABILITY.md I23.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/people/memory.h"
#include "sim/talk.h"

namespace godwit::sim {

/// One FETCH response.
struct Fetched {
    std::uint32_t number = 0;
    std::uint32_t uid = 0;  ///< 0: it did not say.
    std::optional<Flags> flags;
    std::optional<std::string> body;  ///< BODY[].
};

/// What the server said to one command.
struct ImapAnswer {
    enum class Kind : std::uint8_t { Ok, No, Bad };
    Kind kind = Kind::Bad;
    std::string text;                   ///< Of the tagged line, with its code.
    std::vector<std::string> untagged;  ///< Others than FETCH, without "* ".
    std::vector<Fetched> fetched;
    std::vector<std::uint32_t> expunged;  ///< UIDs, 0 where not known.

    [[nodiscard]] bool is_ok() const { return kind == Kind::Ok; }
};

/// UIDs of "1:3,7", in order.
std::vector<std::uint32_t> read_uids(std::string_view set);
/// "1,3,7".
std::string write_uids(const std::vector<std::uint32_t>& uids);

/// The mailbox name at the end of a LIST or LSUB response.
std::string listed_name(std::string_view line);

class ImapClient {
public:
    /// `person` outlives it. `name` is of the session, for findings.
    ImapClient(Person* person, std::string name) : person_(person), name_(std::move(name)) {}

    /// Connects and logs in. An error says why not; nothing is known to be wrong then.
    net::Task<Result<>> open(Reach reach, Duration patience);
    /// One command without its tag and line end. An error means that the connection is lost and
    /// that it is not known what became of the command.
    net::Task<Result<ImapAnswer>> ask(std::string command);
    /// The same with a literal at its end.
    net::Task<Result<ImapAnswer>> ask_with_literal(std::string command, std::string literal,
                                                   bool is_synchronous);
    /// IDLE until `until`. RFC 2177.
    net::Task<Result<ImapAnswer>> idle(MonoTime until);
    net::Task<void> log_out();
    /// As a program does whose machine loses power.
    void abort();

    /// A mailbox was selected (EXISTS as told), or none is any more.
    void begin_numbering();
    void end_numbering() { is_numbering_ = false; }
    /// Messages the session knows of.
    [[nodiscard]] const std::vector<std::uint32_t>& numbers() const { return uids_; }

private:
    net::Task<Result<std::string>> response();
    net::Task<Result<ImapAnswer>> listen(std::string tag, bool may_expunge);
    net::Task<Result<>> wait_for_continuation(ImapAnswer* answer, std::string tag);
    std::string next_tag() { return "a" + std::to_string(++tags_); }
    void take(const std::string& line, ImapAnswer* answer, bool may_expunge);
    void take_exists(std::uint32_t count);
    void take_expunge(std::uint32_t number, ImapAnswer* answer, bool may_expunge);
    void take_fetch(std::uint32_t number, std::string_view items, ImapAnswer* answer);
    void broken(const std::string& what);

    Person* person_;
    std::string name_;
    std::unique_ptr<Talk> talk_;
    unsigned tags_ = 0;
    bool is_numbering_ = false;
    bool is_selecting_ = false;
    std::vector<std::uint32_t> uids_;     // By sequence number; 0: not told.
    std::optional<ImapAnswer> finished_;  // The tagged answer came instead of a continuation.
};

}  // namespace godwit::sim
