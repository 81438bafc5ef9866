// VRFY and EXPN: who has this address, and who is in this group. Asked only by those whom the
// administrator lets ask (settings: trust.answer); everybody else hears the same words.
// RFC 5321 3.4, 3.5, 7.3; RFC 6531 3.7.4.2; SMTP-BEHAVIOUR.md D13.
#pragma once

#include <string>

#include "flow/services.h"
#include "net/io/task.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

/// A name without a domain is looked for in at most so many local domains, the default one first:
/// each costs a few look-ups.
inline constexpr std::size_t question_domains_max = 50;
/// Lines of one answer: what a client must be able to read (limits.h: smtp_reply_lines_max). A
/// group with more members is told by its first ones.
inline constexpr std::size_t question_members_max = 90;

struct Question {
    std::string text;         ///< "alice", "alice@example.org", "<alice@example.org>".
    bool is_of_list = false;  ///< EXPN.
    bool takes_utf8 = false;  ///< The answer may have UTF-8.
    bool may_relay = false;   ///< The asker may send to addresses that are not local.
};

/// VRFY: 250 with the mailbox, 251 where all mail goes on elsewhere, 252 for what is not decided
/// here, 550, 551 (not ours), 553 for a name that several have. EXPN: 250 with a member a line.
net::Task<smtp::Reply> answer_question(const Services* services, Question question);

}  // namespace godwit::flow
