// What a command of the desk is: a row of the table (commands.cc) and a coroutine.
// RFC 3501 3 (states), 5.5 and 7.4.1 (what may be told while it runs), 7.1 (its answer).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/io/task.h"
#include "serve/imap/selected.h"
#include "wire/imap/command.h"
#include "wire/imap/writer.h"

namespace godwit::serve::imap_desk {

class Conversation;

/// Bits of where a command may be given.
enum class State : std::uint8_t { NotAuthenticated = 1, Authenticated = 2, Selected = 4 };

/// The tagged response. Errors in a Result<Answer> mean that the connection is lost.
struct Answer {
    imap::Condition condition = imap::Condition::Ok;
    std::string code;
    std::string text;
    /// Was already sent, or never shall be.
    bool is_silent = false;
    /// Numbers were in use, UID prefix or not (RFC 7162 3.2.10: UID SEARCH 1:5).
    bool holds_expunges = false;
    /// A crash point to pass once the response is written.
    void (*once_written)() = nullptr;
};
using AnswerTask = net::Task<Result<Answer>>;

/// With a UID prefix, without, or both.
enum class Prefix : std::uint8_t { None, Optional, Required };

struct CommandRow {
    std::string_view name;
    Prefix prefix = Prefix::None;
    std::uint8_t states = 0;             ///< State bits.
    Expunges expunges = Expunges::Tell;  ///< Without UID; with it, EXPUNGE may always be told.
    std::string_view capability;         ///< Announced because this row is here; words.
    std::string_view rfc;
    AnswerTask (*run)(Conversation* conversation, imap::Command command) = nullptr;
};

/// nullptr when there is no such command.
const CommandRow* find_command(std::string_view name);
/// THE TABLE, sorted by name.
std::span<const CommandRow> all_commands();
/// Words of a CAPABILITY response for this session, each once (capability.cc).
std::string capability_list(const Conversation& conversation);

Answer ok(std::string text);
Answer no(std::string_view code, std::string text);
Answer bad(std::string text);
/// RFC 9586 3: the client promised to name messages by uid alone.
Answer uid_required();
/// What a client is told of an error of a parser or of the store. RFC 5530. Internal ones are
/// logged.
Answer refusal(const Error& error, std::string_view doing);

// The commands, each group in the file of its name.
AnswerTask run_append(Conversation* c, imap::Command command);        // append.cc
AnswerTask run_authenticate(Conversation* c, imap::Command command);  // login.cc
AnswerTask run_cancelupdate(Conversation* c, imap::Command command);  // live_search.cc
AnswerTask run_capability(Conversation* c, imap::Command command);    // basic.cc
AnswerTask run_check(Conversation* c, imap::Command command);
AnswerTask run_close(Conversation* c, imap::Command command);     // select.cc
AnswerTask run_compress(Conversation* c, imap::Command command);  // compress.cc
AnswerTask run_copy(Conversation* c, imap::Command command);      // copy_move.cc
AnswerTask run_create(Conversation* c, imap::Command command);    // mailboxes.cc
AnswerTask run_delete(Conversation* c, imap::Command command);
AnswerTask run_deleteacl(Conversation* c, imap::Command command);  // acl.cc
AnswerTask run_getacl(Conversation* c, imap::Command command);
AnswerTask run_listrights(Conversation* c, imap::Command command);
AnswerTask run_myrights(Conversation* c, imap::Command command);
AnswerTask run_setacl(Conversation* c, imap::Command command);
AnswerTask run_enable(Conversation* c, imap::Command command);       // enable.cc
AnswerTask run_esearch(Conversation* c, imap::Command command);      // multisearch.cc
AnswerTask run_examine(Conversation* c, imap::Command command);      // select.cc
AnswerTask run_expunge(Conversation* c, imap::Command command);      // expunge.cc
AnswerTask run_fetch(Conversation* c, imap::Command command);        // fetch.cc
AnswerTask run_genurlauth(Conversation* c, imap::Command command);   // urlauth.cc
AnswerTask run_getmetadata(Conversation* c, imap::Command command);  // metadata.cc
AnswerTask run_getquota(Conversation* c, imap::Command command);     // quota.cc
AnswerTask run_getquotaroot(Conversation* c, imap::Command command);
AnswerTask run_setquota(Conversation* c, imap::Command command);
AnswerTask run_id(Conversation* c, imap::Command command);              // basic.cc
AnswerTask run_idle(Conversation* c, imap::Command command);            // idle.cc
AnswerTask run_list(Conversation* c, imap::Command command);            // list.cc
AnswerTask run_login(Conversation* c, imap::Command command);           // login.cc
AnswerTask run_logout(Conversation* c, imap::Command command);          // basic.cc
AnswerTask run_lsub(Conversation* c, imap::Command command);            // list.cc
AnswerTask run_move(Conversation* c, imap::Command command);            // copy_move.cc
AnswerTask run_namespace(Conversation* c, imap::Command command);       // mailboxes.cc
AnswerTask run_notify(Conversation* c, imap::Command command);          // notify.cc
AnswerTask run_noop(Conversation* c, imap::Command command);            // basic.cc
AnswerTask run_rename(Conversation* c, imap::Command command);          // mailboxes.cc
AnswerTask run_resetkey(Conversation* c, imap::Command command);        // urlauth.cc
AnswerTask run_replace(Conversation* c, imap::Command command);         // append.cc
AnswerTask run_search(Conversation* c, imap::Command command);          // search.cc
AnswerTask run_select(Conversation* c, imap::Command command);          // select.cc
AnswerTask run_setmetadata(Conversation* c, imap::Command command);     // metadata.cc
AnswerTask run_sort(Conversation* c, imap::Command command);            // sort.cc
AnswerTask run_starttls(Conversation* c, imap::Command command);        // login.cc
AnswerTask run_status(Conversation* c, imap::Command command);          // status.cc
AnswerTask run_store(Conversation* c, imap::Command command);           // store_flags.cc
AnswerTask run_subscribe(Conversation* c, imap::Command command);       // mailboxes.cc
AnswerTask run_thread(Conversation* c, imap::Command command);          // thread.cc
AnswerTask run_unauthenticate(Conversation* c, imap::Command command);  // compress.cc
AnswerTask run_unselect(Conversation* c, imap::Command command);        // select.cc
AnswerTask run_unsubscribe(Conversation* c, imap::Command command);     // mailboxes.cc
AnswerTask run_urlfetch(Conversation* c, imap::Command command);        // urlauth.cc
AnswerTask run_xlist(Conversation* c, imap::Command command);           // list.cc

}  // namespace godwit::serve::imap_desk
