// Serves STATUS, and its lines in LIST. RFC 3501 6.3.10; RFC 7162 3.1.7; RFC 8438; RFC 9208 4.1.4.
// Q33 (the list is never empty), Q39.
#include "serve/imap/status.h"
#include "flow/read.h"
#include "serve/imap/object_id.h"

namespace godwit::serve::imap_desk {

namespace {

// How many messages above `from` there are; bounded steps over one mailbox.
net::Task<Result<std::uint32_t>> count_above(Conversation* c, const Place* place, Uid from) {
    const AccountId account = place->account;
    const MailboxId mailbox = place->state.id;
    std::uint32_t count = 0;
    Uid next(from.value() + 1);
    for (;;) {
        const std::vector<store::MessageRow> rows = CO_TRY(co_await flow::read(
            c->services(),
            [account, mailbox, next](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::read_rows(snapshot, tier, account, mailbox, next,
                                        limits::scan_rows_max);
            }));
        count += static_cast<std::uint32_t>(rows.size());
        if (rows.size() < limits::scan_rows_max) {
            co_return count;
        }
        next = Uid(rows.back().uid.value() + 1);
    }
}

net::Task<Result<std::uint32_t>> count_recent(Conversation* c, const Place* place) {
    Uid after = place->state.recent_after;
    if (place->account == c->account()) {
        if (const std::shared_ptr<OpenMailbox> open = c->room().find_open(place->state.id)) {
            after = std::max(after, open->recent_after());
        }
    }
    if (after.value() + 1 >= place->state.uid_next.value()) {
        co_return 0U;
    }
    co_return co_await count_above(c, place, after);
}

// Where the client is not the owner he has a \Seen of his own.
net::Task<Result<std::uint32_t>> count_unseen(Conversation* c, const Place* place) {
    const AccountId owner = place->account;
    const AccountId user = c->account();
    if (owner == user) {
        co_return place->state.unseen;
    }
    const MailboxId mailbox = place->state.id;
    const std::uint32_t seen = CO_TRY(co_await flow::read(
        c->services(),
        [owner, user, mailbox](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::read_seen_count(snapshot, tier, owner, mailbox, user);
        }));
    co_return place->state.messages - std::min(place->state.messages, seen);
}

// RFC 9208 4.1.4: what EXPUNGE would free. Bounded steps over one mailbox.
net::Task<Result<std::uint64_t>> deleted_size(Conversation* c, const Place* place) {
    const AccountId account = place->account;
    const MailboxId mailbox = place->state.id;
    std::uint64_t size = 0;
    Uid next(1);
    while (place->state.deleted != 0) {
        const std::vector<store::MessageRow> rows = CO_TRY(co_await flow::read(
            c->services(),
            [account, mailbox, next](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::read_rows(snapshot, tier, account, mailbox, next,
                                        limits::scan_rows_max);
            }));
        for (const store::MessageRow& row : rows) {
            size += row.flags.has(store::SystemFlag::Deleted) ? row.size : 0;
        }
        if (rows.size() < limits::scan_rows_max) {
            break;
        }
        next = Uid(rows.back().uid.value() + 1);
    }
    co_return size;
}

}  // namespace

net::Task<Result<>> write_status(Conversation* c, const Place* place, imap::StatusItems items,
                                 StatusCause cause) {
    const store::MailboxState* const state = &place->state;
    if (cause == StatusCause::Asked && has_item(items, imap::StatusItem::HighestModSeq)) {
        c->follow_mod_seqs();
    }
    std::uint32_t recent = 0;
    if (has_item(items, imap::StatusItem::Recent)) {
        recent = CO_TRY(co_await count_recent(c, place));
    }
    std::uint64_t deleted = 0;
    if (has_item(items, imap::StatusItem::DeletedStorage)) {
        deleted = CO_TRY(co_await deleted_size(c, place));
    }
    std::uint32_t unseen = 0;
    if (has_item(items, imap::StatusItem::Unseen)) {
        unseen = CO_TRY(co_await count_unseen(c, place));
    }
    imap::ResponseWriter& out = c->out();
    out.raw("* STATUS ").mailbox(state->name).raw(" (");
    bool is_first = true;
    const auto write = [&](imap::StatusItem item, std::string_view name, std::uint64_t value) {
        if (has_item(items, item)) {
            out.raw(is_first ? "" : " ").raw(name).raw(" ").number(value);
            is_first = false;
        }
    };
    write(imap::StatusItem::Messages, "MESSAGES", state->messages);
    write(imap::StatusItem::Recent, "RECENT", recent);
    write(imap::StatusItem::UidNext, "UIDNEXT", state->uid_next.value());
    write(imap::StatusItem::UidValidity, "UIDVALIDITY", state->uid_validity.value());
    write(imap::StatusItem::Unseen, "UNSEEN", unseen);
    write(imap::StatusItem::Size, "SIZE", state->bytes);
    write(imap::StatusItem::Deleted, "DELETED", state->deleted);
    write(imap::StatusItem::DeletedStorage, "DELETED-STORAGE", deleted);
    // RFC 7162 3.1.7: what SELECT would say.
    write(imap::StatusItem::HighestModSeq, "HIGHESTMODSEQ",
          std::max<std::uint64_t>(1, state->highest_mod_seq.value()));
    write(imap::StatusItem::AppendLimit, "APPENDLIMIT",
          c->services()->settings()->limits.message_size);
    if (has_item(items, imap::StatusItem::MailboxId)) {
        out.raw(is_first ? "" : " ").raw(mailbox_id_code(place->account, state->id));
    }
    out.raw(")").crlf();
    co_return Result<>();
}

AnswerTask run_status(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::StatusArguments> arguments = imap::parse_status(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const Sought<Place> place = co_await seek_place(c, arguments->mailbox.name, store::Right::Read,
                                                    Wanted::Messages, "STATUS");
    if (!place) {
        co_return place.error();
    }
    const Result<> written = co_await write_status(c, &*place, arguments->items);
    if (!written) {
        co_return refusal(written.error(), "STATUS");
    }
    co_return ok("STATUS completed");
}

}  // namespace godwit::serve::imap_desk
