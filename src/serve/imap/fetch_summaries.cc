// FETCH of what the stored summary says, without a body: envelope, structure, preview. Rendered on
// the offload pool, ahead of what is being sent.
// RFC 3501 7.4.2; RFC 8970 3.2. Q8, Q21.
#include "serve/imap/fetching.h"
#include "serve/imap/record_stream.h"
#include "wire/imap/structure.h"

namespace godwit::serve::imap_desk {

namespace {

// A job stops when it has made so much: what waits to be sent stays bounded, whatever the headers.
constexpr std::size_t kRenderedMax = 256 * 1024;

/// Which of the items are asked for, and how strings are written.
struct Wanted {
    bool envelope = false;
    bool body = false;
    bool body_structure = false;
    bool preview = false;
    imap::NameSpelling spelling = imap::NameSpelling::Utf7;
};

struct Rendered {
    enum class Outcome : std::uint8_t {
        Given,
        Gone,
        Failed,
        Unknown,  ///< The summary does not say all: the message itself must be read.
    };
    struct One {
        Outcome outcome = Outcome::Given;
        std::size_t end = 0;  ///< In `text`; it begins where the one before ends.
    };
    std::string text;
    std::vector<One> ones;
    std::vector<Error> errors;  ///< Of those that failed, in their order.
    std::size_t done = 0;
};

Result<> write_items(imap::ResponseWriter& out, const Wanted& wanted,
                     const mail::SummaryView& summary) {
    mail::PartTree parts;
    if (wanted.body || wanted.body_structure) {
        parts = TRY(summary.parts());
    }
    std::string_view before;
    const auto begin = [&](std::string_view name) {
        out.raw(before).raw(name);
        before = " ";
    };
    if (wanted.envelope) {
        begin("ENVELOPE ");
        imap::write_envelope(
            out, mail::read_envelope(summary.headers, mail::split_header(summary.headers)));
    }
    if (wanted.body) {
        begin("BODY ");
        imap::write_structure(out, parts, imap::StructureForm::Body);
    }
    if (wanted.body_structure) {
        begin("BODYSTRUCTURE ");
        imap::write_structure(out, parts, imap::StructureForm::BodyStructure);
    }
    if (wanted.preview) {
        begin("PREVIEW ");
        out.string(summary.preview);
    }
    return {};
}

Result<Rendered::Outcome> render_one(imap::ResponseWriter& out, const Wanted& wanted,
                                     const store::RecordWalk::RecordView& record) {
    const mail::SummaryView summary = TRY(mail::SummaryView::open(record.summary));
    if (wanted.envelope && summary.headers_truncated) {
        return Rendered::Outcome::Unknown;
    }
    TRY(write_items(out, wanted, summary));
    return Rendered::Outcome::Given;
}

Result<Rendered> render(const Wanted& wanted, const std::vector<store::MessageRow>& rows,
                        store::RecordWalk& walk) {
    Rendered made;
    imap::ResponseWriter out;
    out.set_spelling(wanted.spelling);
    for (const store::MessageRow& row : rows) {
        if (out.size() >= kRenderedMax) {
            break;
        }
        ++made.done;
        const std::size_t before = out.size();
        const auto record = TRY(walk.find(row.email));
        if (!record) {
            made.ones.push_back({.outcome = Rendered::Outcome::Gone, .end = before});
            continue;
        }
        const Result<Rendered::Outcome> outcome = render_one(out, wanted, *record);
        if (!outcome) {
            made.errors.push_back(outcome.error());
        }
        made.ones.push_back(
            {.outcome = outcome.value_or(Rendered::Outcome::Failed), .end = out.size()});
    }
    made.text = out.take();
    return made;
}

}  // namespace

// The row's flags as of now: the record was waited for. `hint` is where it may be in the view; most
// messages follow each other.
void Fetching::write_rendered(const store::MessageRow& row, std::string_view items,
                              std::size_t* hint) {
    const store::MailboxView& view = c_->selected()->view();
    if (*hint >= view.rows().size() || view.rows()[*hint].uid != row.uid) {
        *hint = view.lower_bound(row.uid);
    }
    const bool is_there = *hint < view.rows().size() && view.rows()[*hint].uid == row.uid;
    begin_row(*hint, is_there ? view.rows()[*hint] : row);
    *hint += is_there ? 1 : 0;
    begin_item();
    c_->out().raw(items).raw(")\r\n");
}

net::Task<Result<>> Fetching::send_summaries(const std::vector<Uid>* uids) {
    const Wanted wanted{.envelope = attributes_.envelope,
                        .body = attributes_.body,
                        .body_structure = attributes_.body_structure,
                        .preview = attributes_.preview,
                        .spelling = c_->spelling()};
    RecordStream<Rendered> stream(
        c_, uids, [wanted](const std::vector<store::MessageRow>& rows, store::RecordWalk& walk) {
            return render(wanted, rows, walk);
        });
    std::size_t sent = 0;
    std::size_t hint = 0;
    for (;;) {
        auto next = co_await stream.next();
        if (!next) {
            note_failure(std::move(next.error()), (*uids)[std::min(sent, uids->size() - 1)]);
            break;
        }
        if (!*next) {
            break;
        }
        const Rendered& made = (*next)->batch;
        auto error = made.errors.begin();
        std::size_t begin = 0;
        for (std::size_t i = 0; i < made.ones.size(); ++i) {
            const store::MessageRow& row = (*(*next)->rows)[i];
            const Rendered::One& one = made.ones[i];
            switch (one.outcome) {
                case Rendered::Outcome::Gone: has_gone_ = true; break;
                case Rendered::Outcome::Failed: note_failure(*error++, row.uid); break;
                case Rendered::Outcome::Unknown: {
                    const std::vector<Uid> alone = {row.uid};
                    CO_TRY(co_await send_records(&alone));
                    break;
                }
                case Rendered::Outcome::Given:
                    write_rendered(row, std::string_view(made.text).substr(begin, one.end - begin),
                                   &hint);
                    break;
            }
            begin = one.end;
            if (c_->out().should_drain()) {
                CO_TRY(co_await c_->drain());
            }
        }
        sent += made.done;
        co_await net::yield_now();
    }
    has_gone_ = has_gone_ || stream.has_gone();
    co_return Result<>();
}

}  // namespace godwit::serve::imap_desk
