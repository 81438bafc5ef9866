// One FETCH under way: what was asked for, and how far it has come. The rows' side is in fetch.cc,
// items of the summary and of the body in fetch_items.cc (beside bodies), fetch_summaries.cc
// (without) and fetch_body.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mail/message/envelope.h"
#include "mail/message/summary.h"
#include "serve/imap/changes.h"
#include "serve/imap/message_source.h"
#include "wire/imap/fetch.h"
#include "wire/imap/section_range.h"

namespace godwit::serve::imap_desk {

/// A message with what the store remembers of it.
struct Loaded {
    store::MessageRow row;
    store::MessageRecord record;
    mail::MessageSummary summary;
};

inline bool is_binary(const imap::BodyItem& item) {
    return item.name == imap::BodyItemName::Binary || item.name == imap::BodyItemName::BinarySize;
}

/// A body item whose size may be promised: all of it can be read.
struct Prepared {
    std::optional<imap::ByteRange> range;  ///< None: there is no such part.
    std::optional<std::string> bytes;      ///< Its first step, or a filtered header as a whole.
    // Of BINARY alone; `bytes` are then all of it, decoded.
    mail::TransferEncoding encoding = mail::TransferEncoding::SevenBit;
    std::uint64_t decoded_size = 0;  ///< Of what is asked for.
    bool has_nul = false;
};

/// Lives as long as its command runs. Own shard.
class Fetching {
public:
    Fetching(Conversation* conversation, imap::FetchAttributes attributes, Numbering numbering)
        : c_(conversation), attributes_(std::move(attributes)), numbering_(numbering) {
        // RFC 3501 6.4.8. In UIDONLY the response begins with the uid (RFC 9586 3).
        attributes_.uid = attributes_.uid || (numbering == Numbering::Uid &&
                                              !conversation->has_enabled(Feature::UidOnly));
    }
    AnswerTask run(Targets targets);

private:
    [[nodiscard]] bool needs_record() const {
        return attributes_.envelope || attributes_.body || attributes_.body_structure ||
               attributes_.preview || !attributes_.bodies.empty();
    }
    net::Task<void> set_seen(std::vector<Uid> uids);
    net::Task<Result<>> send_rows(const std::vector<Uid>* uids);
    net::Task<Result<>> send_records(const std::vector<Uid>* uids);
    net::Task<Result<>> send_summaries(const std::vector<Uid>* uids);
    void write_rendered(const store::MessageRow& row, std::string_view items, std::size_t* hint);
    net::Task<Result<>> send_message(const Loaded* message);
    net::Task<Result<std::vector<Prepared>>> prepare(const Loaded* message);
    net::Task<Result<std::string>> read_first(const Loaded* message, const imap::BodyItem* item,
                                              imap::ByteRange range);
    template <class Take>
    net::Task<Result<>> decode(const Loaded* message, imap::ByteRange range,
                               mail::TransferEncoding encoding, Take take);
    net::Task<Result<Prepared>> prepare_binary(const Loaded* message, const imap::BodyItem* item);
    net::Task<Result<>> send_binary(const Loaded* message, const imap::BodyItem* item,
                                    const Prepared* prepared);
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

}  // namespace godwit::serve::imap_desk
