// Serves FETCH and UID FETCH.
// RFC 3501 6.4.5, 7.4.2; RFC 2180 4.1 (messages expunged meanwhile); RFC 5530 3. Q1, Q8, Q16, Q21,
// Q33-Q35. Flags, dates and sizes come from the view; envelope and structure from the stored
// summary; bodies stream in steps of 64 KiB. Sets \Seen by a plan before the data is sent.
#include <algorithm>

#include "base/log.h"
#include "base/probe.h"
#include "flow/sound_body.h"
#include "mail/message/summary.h"
#include "serve/imap/changes.h"
#include "serve/imap/message_source.h"
#include "wire/imap/fetch.h"
#include "wire/imap/section_range.h"
#include "wire/imap/structure.h"

namespace godwit::serve::imap_desk {

namespace {

// A message with what the store remembers of it.
struct Loaded {
    store::MessageRow row;
    store::MessageRecord record;
    mail::MessageSummary summary;
};

// A body item whose size may be promised: all of it can be read.
struct Prepared {
    std::optional<imap::ByteRange> range;  ///< None: there is no such part.
    std::optional<std::string> bytes;      ///< Its first step, or a filtered header as a whole.
};

class Fetching {
public:
    Fetching(Conversation* conversation, imap::FetchAttributes attributes, Numbering numbering)
        : c_(conversation), attributes_(std::move(attributes)), numbering_(numbering) {
        attributes_.uid = attributes_.uid || numbering == Numbering::Uid;  // RFC 3501 6.4.8.
    }
    AnswerTask run(Targets targets);

private:
    [[nodiscard]] bool needs_record() const {
        return attributes_.envelope || attributes_.body || attributes_.body_structure ||
               !attributes_.bodies.empty();
    }
    net::Task<void> set_seen(std::vector<Uid> uids);
    net::Task<Result<>> send_rows(const std::vector<Uid>* uids);
    net::Task<Result<>> send_records(const std::vector<Uid>* uids);
    net::Task<Result<>> send_message(const Loaded* message);
    net::Task<Result<std::vector<Prepared>>> prepare(const Loaded* message);
    net::Task<Result<std::string>> read_first(const Loaded* message, const imap::BodyItem* item,
                                              imap::ByteRange range);
    net::Task<Result<>> send_body(const Loaded* message, const imap::BodyItem* item,
                                  Prepared prepared);
    net::Task<Result<>> stream(const Loaded* message, imap::ByteRange range, std::string bytes);
    [[nodiscard]] Answer damaged() const;
    net::Task<Result<std::string>> read_header_text(const Loaded* message,
                                                    const imap::BodyItem* item,
                                                    imap::ByteRange range);
    net::Task<Result<mail::Envelope>> read_envelope(const Loaded* message);
    void begin_row(std::size_t index, const store::MessageRow& row);
    void begin_item() {
        if (!is_first_item_) {
            c_->out().raw(" ");
        }
        is_first_item_ = false;
    }
    void note_failure(Error error, Uid uid);

    Conversation* c_;
    imap::FetchAttributes attributes_;
    Numbering numbering_;
    std::vector<Uid> seen_now_;  ///< Got \Seen by this command; their FLAGS are told. Rising.
    bool has_gone_ = false;
    bool is_first_item_ = true;
    std::optional<Error> failure_;
    Uid failed_;  ///< The first message that failure_ is about; 0: none.
    std::size_t failures_ = 0;
};

void Fetching::note_failure(Error error, Uid uid) {
    log::error("imap.fetch_failed", {{"account", c_->account().value()},
                                     {"mailbox", c_->selected()->view().mailbox().value()},
                                     {"uid", uid.value()},
                                     {"error", error.text}});
    ++failures_;
    if (!failure_) {
        failed_ = uid;
        failure_ = std::move(error);
    }
}

// RFC 3501 6.4.5: reading a body sets \Seen. Reading goes on where that is not possible (a full
// disk); where nobody knows whether it was set, no flags can be told, and the command fails.
net::Task<void> Fetching::set_seen(std::vector<Uid> uids) {
    std::vector<Uid> unseen;
    for (const Uid uid : uids) {
        const store::MessageRow* row = c_->selected()->view().find(uid);
        if (row != nullptr && !row->flags.has(store::SystemFlag::Seen)) {
            unseen.push_back(uid);
        }
    }
    if (unseen.empty()) {
        co_return;
    }
    store::FlagNames seen;
    seen.system = static_cast<std::uint8_t>(store::SystemFlag::Seen);
    FlagOutcome done =
        co_await change_flags(c_, std::move(unseen), store::FlagChange::Add, std::move(seen));
    if (done.failure) {
        log::warn("imap.seen_not_set", {{"error", done.failure->text}});
        if (done.failure->code == ErrorCode::Closed) {
            probe<"imap.seen_unknown">();
            failure_ = std::move(done.failure);
        }
    }
    seen_now_ = std::move(done.changed);
}

// "* n FETCH (" and what the row knows. The closing parenthesis is the caller's.
void Fetching::begin_row(std::size_t index, const store::MessageRow& row) {
    imap::ResponseWriter& out = c_->out();
    out.raw("* ").number(c_->selected()->number_at(index, row.uid)).raw(" FETCH (");
    is_first_item_ = true;
    if (attributes_.uid) {
        begin_item();
        out.raw("UID ").number(row.uid.value());
    }
    if (attributes_.flags ||
        (!seen_now_.empty() && std::ranges::binary_search(seen_now_, row.uid))) {
        begin_item();
        c_->selected()->write_flags(out, row);
    }
    if (attributes_.internal_date) {
        begin_item();
        out.raw("INTERNALDATE ").date_time(from_unix_seconds(row.internal_date));
    }
    if (attributes_.size) {
        begin_item();
        out.raw("RFC822.SIZE ").number(row.size);
    }
}

net::Task<Result<>> Fetching::send_rows(const std::vector<Uid>* uids) {
    imap::ResponseWriter& out = c_->out();
    std::size_t at = 0;
    while (at < uids->size()) {
        // The view stands still until the next wait.
        const auto rows = c_->selected()->view().rows();
        std::size_t index = c_->selected()->view().lower_bound((*uids)[at]);
        for (; at < uids->size() && !out.should_drain(); ++at) {
            const Uid uid = (*uids)[at];
            while (index < rows.size() && rows[index].uid < uid) {
                ++index;
            }
            if (index >= rows.size() || rows[index].uid != uid) {
                has_gone_ = true;
                continue;
            }
            begin_row(index, rows[index]);
            out.raw(")\r\n");
        }
        CO_TRY(co_await c_->drain());
    }
    co_return Result<>();
}

net::Task<Result<>> Fetching::send_records(const std::vector<Uid>* uids) {
    for (std::size_t at = 0; at < uids->size(); at += kRecordBatch) {
        std::vector<store::MessageRow> rows;
        std::vector<EmailId> emails;
        for (const Uid uid : slice(*uids, at, kRecordBatch)) {
            if (const store::MessageRow* row = c_->selected()->view().find(uid)) {
                rows.push_back(*row);
                emails.push_back(row->email);
            } else {
                has_gone_ = true;
            }
        }
        auto records = co_await read_records(c_->services(), c_->account(), std::move(emails));
        if (!records) {
            note_failure(std::move(records.error()), (*uids)[at]);
            co_return Result<>();
        }
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (!(*records)[i]) {
                has_gone_ = true;
                continue;
            }
            Loaded message{rows[i], *std::move((*records)[i]), {}};
            Result<mail::MessageSummary> summary =
                mail::MessageSummary::decode(message.record.summary);
            if (!summary) {
                note_failure(std::move(summary.error()), message.row.uid);
                continue;
            }
            message.summary = std::move(*summary);
            CO_TRY(co_await send_message(&message));
            CO_TRY(co_await c_->drain());
        }
        co_await net::yield_now();
    }
    co_return Result<>();
}

net::Task<Result<mail::Envelope>> Fetching::read_envelope(const Loaded* message) {
    if (!message->summary.headers_truncated) {
        co_return message->summary.envelope();
    }
    const imap::ByteRange header{
        message->record.prefix.size(),
        std::min<std::uint64_t>(message->summary.header_size, limits::header_block_size_max)};
    const std::string block =
        CO_TRY(co_await read_message(c_->services(), &message->record, header));
    co_return mail::read_envelope(block, mail::split_header(block));
}

net::Task<Result<>> Fetching::send_message(const Loaded* message) {
    imap::ResponseWriter& out = c_->out();
    std::optional<mail::Envelope> envelope;
    if (attributes_.envelope) {
        Result<mail::Envelope> read = co_await read_envelope(message);
        if (!read) {
            note_failure(std::move(read.error()), message->row.uid);
            co_return Result<>();
        }
        envelope = std::move(*read);
    }
    // What cannot be given is found out before anything of the message is: a client must not store
    // half a message, nor lose those behind it with the connection.
    Result<std::vector<Prepared>> prepared = co_await prepare(message);
    if (!prepared) {
        note_failure(std::move(prepared.error()), message->row.uid);
        co_return Result<>();
    }
    // The row's flags as of now: the record was waited for.
    const std::size_t index = c_->selected()->view().lower_bound(message->row.uid);
    const store::MessageRow* now = c_->selected()->view().find(message->row.uid);
    begin_row(index, now != nullptr ? *now : message->row);
    if (envelope) {
        begin_item();
        out.raw("ENVELOPE ");
        imap::write_envelope(out, *envelope);
    }
    if (attributes_.body) {
        begin_item();
        out.raw("BODY ");
        imap::write_structure(out, message->summary.parts, imap::StructureForm::Body);
    }
    if (attributes_.body_structure) {
        begin_item();
        out.raw("BODYSTRUCTURE ");
        imap::write_structure(out, message->summary.parts, imap::StructureForm::BodyStructure);
    }
    for (std::size_t i = 0; i < attributes_.bodies.size(); ++i) {
        begin_item();
        CO_TRY(co_await send_body(message, &attributes_.bodies[i], std::move((*prepared)[i])));
    }
    out.raw(")\r\n");
    co_return Result<>();
}

void write_item_name(imap::ResponseWriter& out, const imap::BodyItem& item) {
    switch (item.name) {
        case imap::BodyItemName::Rfc822: out.raw("RFC822 "); return;
        case imap::BodyItemName::Rfc822Header: out.raw("RFC822.HEADER "); return;
        case imap::BodyItemName::Rfc822Text: out.raw("RFC822.TEXT "); return;
        case imap::BodyItemName::Body: break;
    }
    out.raw("BODY").raw(imap::to_string(item.section));
    if (item.partial) {
        out.raw("<").number(item.partial->origin).raw(">");  // Q1: always, with the origin alone.
    }
    out.raw(" ");
}

// In the message with its prefix: parts are numbered from the body's first octet.
std::optional<imap::ByteRange> locate(const Loaded& message, const imap::Section& section) {
    const std::uint64_t prefix = message.record.prefix.size();
    std::optional<imap::ByteRange> range =
        imap::find_section_range(message.summary.parts, message.record.blob_size, section);
    if (!range) {
        return std::nullopt;
    }
    const bool begins_message = section.part.empty() && section.text != imap::SectionText::Text;
    if (!begins_message) {
        range->offset += prefix;
        return range;
    }
    return imap::ByteRange{0, prefix + range->offset + range->size};
}

bool is_filtered(const imap::Section& section) {
    return section.text == imap::SectionText::HeaderFields ||
           section.text == imap::SectionText::HeaderFieldsNot;
}

bool is_in_summary(const Loaded& message, const imap::Section& section) {
    return section.part.empty() && section.text == imap::SectionText::HeaderFields &&
           !message.summary.headers_truncated &&
           std::ranges::all_of(section.fields, mail::is_hot_header);
}

net::Task<Result<std::string>> Fetching::read_header_text(const Loaded* message,
                                                          const imap::BodyItem* item,
                                                          imap::ByteRange range) {
    if (is_in_summary(*message, item->section)) {
        co_return imap::filter_header(message->record.prefix + message->summary.headers,
                                      item->section);
    }
    range.size = std::min<std::uint64_t>(
        range.size, message->record.prefix.size() + limits::header_block_size_max);
    const std::string header =
        CO_TRY(co_await read_message(c_->services(), &message->record, range));
    co_return imap::filter_header(header, item->section);
}

imap::ByteRange first_step(imap::ByteRange range) {
    range.size = std::min<std::uint64_t>(range.size, limits::stream_write_buffer_max);
    return range;
}

// A filtered header as a whole; else the first step, when what follows it can be read too.
net::Task<Result<std::string>> Fetching::read_first(const Loaded* message,
                                                    const imap::BodyItem* item,
                                                    imap::ByteRange range) {
    if (is_filtered(item->section)) {
        co_return co_await read_header_text(message, item, range);
    }
    const imap::ByteRange first = first_step(range);
    std::string bytes = CO_TRY(co_await read_message(c_->services(), &message->record, first));
    if (bytes.size() != first.size) {
        co_return internal_error(ErrorCode::Corrupt,
                                 "a stored body is shorter than its record says");
    }
    if (range.size > first.size) {
        const std::uint64_t prefix = message->record.prefix.size();
        const std::uint64_t from = std::max(prefix, range.offset + first.size);
        CO_TRY(co_await flow::check_body(c_->services(), message->record.blob, from - prefix,
                                         range.offset + range.size - from));
    }
    co_return bytes;
}

net::Task<Result<std::vector<Prepared>>> Fetching::prepare(const Loaded* message) {
    std::vector<Prepared> all;
    std::size_t kept = 0;
    for (const imap::BodyItem& item : attributes_.bodies) {
        Prepared prepared{.range = locate(*message, item.section), .bytes = {}};
        if (prepared.range) {
            if (!is_filtered(item.section)) {
                prepared.range = imap::apply_partial(*prepared.range, item.partial);
            }
            std::string bytes = CO_TRY(co_await read_first(message, &item, *prepared.range));
            // Of many items some are read twice rather than all kept.
            if (kept == 0 || kept + bytes.size() <= limits::stream_write_buffer_max) {
                kept += bytes.size();
                prepared.bytes = std::move(bytes);
            }
        }
        all.push_back(std::move(prepared));
    }
    co_return all;
}

net::Task<Result<>> Fetching::send_body(const Loaded* message, const imap::BodyItem* item,
                                        Prepared prepared) {
    imap::ResponseWriter& out = c_->out();
    write_item_name(out, *item);
    if (!prepared.range) {
        out.raw("NIL");
        co_return Result<>();
    }
    if (!prepared.bytes) {
        prepared.bytes = CO_TRY(co_await read_first(message, item, *prepared.range));
    }
    if (is_filtered(item->section)) {
        const std::string_view text = *prepared.bytes;
        const imap::ByteRange piece = imap::apply_partial({0, text.size()}, item->partial);
        out.literal_header(piece.size).raw(text.substr(piece.offset, piece.size));
        co_return Result<>();
    }
    co_return co_await stream(message, *prepared.range, *std::move(prepared.bytes));
}

net::Task<Result<>> Fetching::stream(const Loaded* message, imap::ByteRange range,
                                     std::string bytes) {
    imap::ResponseWriter& out = c_->out();
    out.literal_header(range.size);
    for (;;) {
        out.raw(bytes);
        range.offset += bytes.size();
        range.size -= bytes.size();
        CO_TRY(co_await c_->drain());
        if (range.size == 0) {
            co_return Result<>();
        }
        const imap::ByteRange step = first_step(range);
        Result<std::string> next = co_await read_message(c_->services(), &message->record, step);
        if (!next || next->size() != step.size) {
            // The size is promised: only the end of the connection can say that it is not kept.
            flow::forget_sound_body(message->record.blob);
            log::error("imap.body_broken", {{"uid", message->row.uid.value()},
                                            {"error", next ? "short read" : next.error().text}});
            co_return internal_error(ErrorCode::Corrupt, "a body broke off while it was sent");
        }
        bytes = *std::move(next);
    }
}

// RFC 5530 3, CORRUPTION. Who reads the text shall know what is missing.
Answer Fetching::damaged() const {
    std::string text = "The message with UID " + std::to_string(failed_.value());
    if (failures_ > 1) {
        text += " and " + std::to_string(failures_ - 1) + " more";
    }
    return no(imap::code::kCorruption, text + " cannot be read; the others were given");
}

AnswerTask Fetching::run(Targets targets) {
    has_gone_ = targets.has_gone;
    if (attributes_.sets_seen() && !c_->selected()->is_read_only()) {
        co_await set_seen(targets.uids);
        if (failure_) {
            co_return refusal(*failure_, "FETCH");
        }
    }
    const Result<> fresh = co_await c_->room().refresh_keywords();
    if (!fresh) {
        co_return refusal(fresh.error(), "FETCH");
    }
    c_->selected()->tell_keywords(c_->out());
    if (needs_record()) {
        CO_TRY(co_await send_records(&targets.uids));
    } else {
        CO_TRY(co_await send_rows(&targets.uids));
    }
    if (failure_ && failure_->code == ErrorCode::Corrupt && failed_ != Uid()) {
        co_return damaged();
    }
    if (failure_) {
        co_return refusal(*failure_, "FETCH");
    }
    if (has_gone_ && numbering_ == Numbering::Sequence) {
        co_return no(imap::code::kExpungeIssued, "Some of the messages are gone");
    }
    co_return ok(numbering_ == Numbering::Uid ? "UID FETCH completed" : "FETCH completed");
}

}  // namespace

AnswerTask run_fetch(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::FetchArguments> arguments = imap::parse_fetch(lexer);
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    if (auto forbidden = forbid_read(c)) {
        co_return *std::move(forbidden);
    }
    const Numbering numbering = command.uid ? Numbering::Uid : Numbering::Sequence;
    std::optional<Targets> targets = c->selected()->resolve(arguments->set, numbering);
    if (!targets) {
        co_return bad("No message has such a number");
    }
    Fetching fetching(c, std::move(arguments->attributes), numbering);
    co_return co_await fetching.run(*std::move(targets));
}

}  // namespace godwit::serve::imap_desk
