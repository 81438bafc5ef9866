// Serves THREAD and UID THREAD. RFC 5256 3 (BASE.6.4.THREAD), 4.
#include "mail/message/base_subject.h"
#include "mail/message/threading.h"
#include "mail/text/charset.h"
#include "serve/imap/search_run.h"
#include "serve/imap/stored_summaries.h"
#include "wire/imap/sort.h"

namespace godwit::serve::imap_desk {

namespace {

// Some 400 octets each while the command runs.
constexpr std::size_t kThreadedMax = 250'000;

std::vector<std::string> references_of(const mail::MessageSummary& summary) {
    const mail::HeaderIndex fields = summary.index();
    std::vector<std::string> ids =
        mail::parse_message_ids(fields.value(summary.headers, "references").value_or(""));
    if (ids.empty()) {
        ids = mail::parse_message_ids(fields.value(summary.headers, "in-reply-to").value_or(""));
        ids.resize(std::min<std::size_t>(ids.size(), 1));
    }
    return ids;
}

mail::ThreadedMessage threaded(const store::MessageRow& row, const mail::MessageSummary& summary) {
    const mail::BaseSubject subject = mail::base_subject(summary.envelope().subject.value_or(""));
    return {.id = summary.message_id(),
            .references = references_of(summary),
            .subject = mail::fold_case(subject.text),
            .is_reply = subject.is_reply,
            .sent = sent_at(row, summary)};
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
    const Result<FoundMessages> found =
        co_await find_messages(c, SearchScopeView(c->selected()), *program, Scores::Unwanted);
    if (!found) {
        co_return refusal(found.error(), "THREAD");
    }
    if (found->uids.size() > kThreadedMax) {
        co_return no(imap::code::kLimit,
                     "At most " + std::to_string(kThreadedMax) + " messages are threaded at once");
    }
    std::vector<mail::ThreadedMessage> messages;
    std::vector<std::uint32_t> numbers;
    const Result<> read = co_await each_summary(
        c, &found->uids, [&](const store::MessageRow& row, const mail::MessageSummary& summary) {
            messages.push_back(threaded(row, summary));
            numbers.push_back(row.uid.value());
        });
    if (!read) {
        co_return refusal(read.error(), "THREAD");
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
            return mail::write_threads(algorithm == imap::ThreadAlgorithm::References
                                           ? mail::thread_by_references(messages)
                                           : mail::thread_by_subject(messages),
                                       numbers);
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
