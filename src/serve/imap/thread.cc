// Serves THREAD and UID THREAD. RFC 5256 3 (BASE.6.4.THREAD), 4.
#include "base/limits.h"
#include "base/random.h"
#include "mail/message/base_subject.h"
#include "mail/message/message_ids.h"
#include "mail/message/threading.h"
#include "mail/text/charset.h"
#include "serve/imap/search_run.h"
#include "serve/imap/stored_summaries.h"
#include "wire/imap/sort.h"

namespace godwit::serve::imap_desk {

namespace {

// Some 200 octets each while the command runs.
constexpr std::size_t kThreadedMax = 250'000;

struct Numbered {
    std::uint32_t uid = 0;
    mail::ThreadedMessage message;
};

/// Keys of the ids in the first field of that name, at most limits::references_max, the last ones.
std::vector<mail::ThreadKey> keys_of(mail::HashKey key, std::string_view headers,
                                     const mail::HeaderIndex& fields, std::string_view name) {
    std::vector<mail::ThreadKey> keys;
    const mail::HeaderField* field = fields.find(headers, name);
    mail::MessageIdsView ids(field == nullptr ? std::string_view() : field->body(headers));
    for (std::string_view id = ids.next(); !id.empty(); id = ids.next()) {
        keys.push_back(mail::thread_key(key, id));
    }
    if (keys.size() > limits::references_max) {
        keys.erase(keys.begin(), keys.end() - std::ptrdiff_t{limits::references_max});
    }
    return keys;
}

mail::ThreadKey first_key_of(mail::HashKey key, std::string_view headers,
                             const mail::HeaderIndex& fields, std::string_view name) {
    const mail::HeaderField* field = fields.find(headers, name);
    mail::MessageIdsView ids(field == nullptr ? std::string_view() : field->body(headers));
    const std::string_view id = ids.next();
    return id.empty() ? mail::no_thread_key : mail::thread_key(key, id);
}

Numbered threaded(mail::HashKey key, const store::MessageRow& row,
                  const mail::SummaryView& summary) {
    const mail::HeaderIndex fields = mail::split_header(summary.headers);
    Numbered made{.uid = row.uid.value(), .message = {}};
    mail::ThreadedMessage& message = made.message;
    message.id = first_key_of(key, summary.headers, fields, "message-id");
    message.references = keys_of(key, summary.headers, fields, "references");
    if (message.references.empty()) {
        const mail::ThreadKey parent = first_key_of(key, summary.headers, fields, "in-reply-to");
        if (parent != mail::no_thread_key) {
            message.references.push_back(parent);
        }
    }
    const mail::BaseSubject subject = mail::base_subject(
        mail::read_envelope_field(summary.headers, fields, "subject").value_or(""));
    if (const std::string folded = mail::fold_case(subject.text); !folded.empty()) {
        message.subject = mail::thread_key(key, folded);
    }
    message.is_reply = subject.is_reply;
    message.sent = sent_at(row, summary);
    message.arrived = row.internal_date;
    return made;
}

mail::ThreadForest thread_by(imap::ThreadAlgorithm algorithm,
                             const std::vector<mail::ThreadedMessage>& messages) {
    switch (algorithm) {
        case imap::ThreadAlgorithm::OrderedSubject: return mail::thread_by_subject(messages);
        case imap::ThreadAlgorithm::Refs: return mail::thread_by_references_alone(messages);
        case imap::ThreadAlgorithm::References: break;
    }
    return mail::thread_by_references(messages);
}

}  // namespace

AnswerTask run_thread(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::ThreadArguments> arguments = imap::parse_thread(lexer);
    const Result<imap::SearchProgram> program =
        arguments ? Result<imap::SearchProgram>(std::move(arguments->program))
                  : std::unexpected(arguments.error());
    if (std::optional<Answer> forbidden = co_await forbid_search(c, &program)) {
        co_return *std::move(forbidden);
    }
    c->progress().divide(2);
    const Result<FoundMessages> found =
        co_await find_messages(c, SearchScopeView(c->selected()), *program, Scores::Unwanted);
    if (!found) {
        co_return refusal(found.error(), "THREAD");
    }
    if (found->uids.size() > kThreadedMax) {
        co_return no(imap::code::kLimit,
                     "At most " + std::to_string(kThreadedMax) + " messages are threaded at once");
    }
    c->progress().enter_part(1);
    Random& random = *c->services()->random;
    const mail::HashKey key{.first = random.u64(), .second = random.u64()};
    Result<std::vector<Numbered>> read = co_await each_summary<Numbered>(
        c, &found->uids, [key](const store::MessageRow& row, const mail::SummaryView& summary) {
            return threaded(key, row, summary);
        });
    if (!read) {
        co_return refusal(read.error(), "THREAD");
    }
    std::vector<mail::ThreadedMessage> messages;
    std::vector<std::uint32_t> numbers;
    messages.reserve(read->size());
    numbers.reserve(read->size());
    for (Numbered& one : *read) {
        messages.push_back(std::move(one.message));
        numbers.push_back(one.uid);
    }
    if (!command.uid) {
        // A number holds until its EXPUNGE is told, which this command holds back.
        for (std::uint32_t& number : numbers) {
            const Selected& selected = *c->selected();
            number = selected.number_at(selected.view().lower_bound(Uid(number)), Uid(number));
        }
    }
    const Result<std::string> threads = co_await net::offload(
        c->services()->offload,
        [algorithm = arguments->algorithm, messages = std::move(messages),
         numbers = std::move(numbers)]() -> Result<std::string> {
            return mail::write_threads(thread_by(algorithm, messages), numbers);
        });
    if (!threads) {
        co_return refusal(threads.error(), "THREAD");
    }
    c->out().raw("* THREAD").raw(threads->empty() ? "" : " ").raw(*threads).crlf();
    Answer answer = ok(command.uid ? "UID THREAD completed" : "THREAD completed");
    answer.holds_expunges = program->uses_sequence_numbers();
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
