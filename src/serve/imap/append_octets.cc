// The octets of an APPEND's messages, from the connection to the body store.
// RFC 3501 4.3, 9 (CHAR8); RFC 3516 4.4 (literal8); RFC 7888; RFC 4469 4.2 (TOOBIG). Q35, Q44; T76.
#include "base/probe.h"
#include "flow/read.h"
#include "serve/imap/appending.h"
#include "store/directory/quota.h"

namespace godwit::serve::imap_desk {

net::Task<Result<Appending::Refusal>> Appending::take_octets(imap::AppendOctets octets) {
    if (!message_->begin.is_catenated && octets.literal.size == 0) {
        // RFC 3502: how a client cancels.
        co_return no(imap::code::kCannot, "The message is empty");
    }
    if (++pieces_ > append_pieces_max && message_->begin.is_catenated) {
        co_return no(imap::code::kLimit, "Too many pieces in one command");
    }
    if (Refusal forbidden = co_await forbid_size(octets.literal.size)) {
        co_return forbidden;
    }
    message_->is_utf8 = message_->is_utf8 || octets.is_utf8;
    may_have_nul_ = octets.literal.binary;
    co_return co_await receive();
}

net::Task<Result<Appending::Refusal>> Appending::take_url_octets(imap::AppendUrlOctets octets) {
    if (octets.literal.size > imap::url_size_max) {
        co_return bad("The URL is too long");
    }
    url_.emplace();
    may_have_nul_ = false;
    if (Refusal refused = CO_TRY(co_await receive())) {
        co_return refused;
    }
    std::string url = *std::exchange(url_, std::nullopt);
    co_return co_await take_url(std::move(url));
}

// Takes the literal that is offered, and what follows it up to the next one or the command's end.
net::Task<Result<Appending::Refusal>> Appending::receive() {
    imap::CommandReader& reader = c_->reader();
    reader.accept_literal();
    for (;;) {
        imap::ReaderEvent event = reader.next();
        if (const auto* chunk = std::get_if<imap::LiteralChunkView>(&event)) {
            std::string bytes(chunk->bytes);
            if (Refusal refused = co_await take_chunk(std::move(bytes))) {
                co_return refused;
            }
        } else if (std::holds_alternative<imap::LiteralEnd>(event)) {
            has_open_literal_ = false;
        } else if (auto* command = std::get_if<imap::Command>(&event)) {
            command_ = std::move(*command);
            is_whole_ = true;
            co_return Refusal();
        } else if (auto* offer = std::get_if<imap::LiteralOffer>(&event)) {
            command_ = std::move(offer->command);
            has_open_literal_ = true;
            co_return Refusal();
        } else if (std::holds_alternative<imap::Continue>(event)) {
            c_->out().continuation("Go ahead");
        } else if (const auto* rejected = std::get_if<imap::Rejected>(&event)) {
            Answer answer = bad(rejected->text);
            answer.code = rejected->code;
            co_return answer;
        } else if (const auto* fatal = std::get_if<imap::Fatal>(&event)) {
            has_open_literal_ = false;
            c_->say_fatal(*fatal);
            co_return Answer{.code = "", .text = "", .is_silent = true};
        } else if (Refusal ended = CO_TRY(co_await wait_for_octets())) {
            co_return ended;
        }
    }
}

// A server that is closing lets the message come in; the silent are not waited for.
net::Task<Result<Appending::Refusal>> Appending::wait_for_octets() {
    const bool has_input = CO_TRY(co_await c_->fill(c_->silence_limit()));
    if (!has_input && c_->stream().shard().now() >= c_->silence_limit()) {
        has_open_literal_ = false;  // Nothing is read any more.
        c_->say_bye("", "Autologout, idle for too long");
        co_return Answer{.code = "", .text = "", .is_silent = true};
    }
    co_return Refusal();
}

net::Task<Appending::Refusal> Appending::take_chunk(std::string bytes) {
    if (!may_have_nul_ && bytes.find('\0') != std::string::npos) {
        // RFC 3501 4.3, 9: CHAR8 is %x01-ff; RFC 3516 4.4: NUL comes in a literal8. NO, since a
        // client that moves a mailbox should go on with the next message.
        co_return no(imap::code::kCannot, "The message has a NUL octet (RFC 3501 CHAR8)");
    }
    if (url_) {
        url_->append(bytes);
        co_return std::nullopt;
    }
    const Result<> stored = co_await put(std::move(bytes));
    co_return stored ? Refusal() : refusal(stored.error(), "APPEND");
}

net::Task<Result<>> Appending::put(std::string bytes) {
    std::shared_ptr<store::BlobWriter> writer = message_->writer;
    message_->parser.feed(bytes);
    if (!writer->is_spooling() && writer->size() + bytes.size() <= limits::body_memory_size_max) {
        co_return writer->append(bytes);
    }
    co_return co_await net::offload(c_->services()->offload, [writer, chunk = std::move(bytes)] {
        return writer->append(chunk);
    });
}

net::Task<Result<store::NewBody>> Appending::finish_body() {
    std::shared_ptr<store::BlobWriter> writer = message_->writer;
    if (!writer->is_spooling()) {
        co_return writer->finish();
    }
    co_return co_await net::offload(c_->services()->offload, [writer] { return writer->finish(); });
}

// Says no before `size` octets more come where that is known already.
net::Task<Appending::Refusal> Appending::forbid_size(std::uint64_t size) {
    const std::uint64_t open = message_->writer->size();
    if (size + open > c_->services()->settings()->limits.message_size) {
        co_return no(imap::code::kTooBig, "The message would be too large");
    }
    if (!c_->services()->store->has_room_for_mail()) {
        probe<"imap.append_without_room">();
        co_return no(imap::code::kUnavailable, "Disk is nearly full, try again later");
    }
    const AccountId account = place_->account;
    const store::QuotaUse needed{.bytes = octets_ + open + size, .messages = messages_ + 1};
    // RFC 8508 3.4: only what is used more in the end counts.
    store::QuotaUse freed;
    if (replaced_ && replaced_->account == account) {
        freed = {.bytes = replaced_->size, .messages = 1};
    }
    const Result<bool> fits = co_await flow::read(
        c_->services(),
        [account, needed, freed](const store::Snapshot& snapshot,
                                 store::ReadTier tier) -> Result<bool> {
            store::QuotaState quota = TRY(store::read_quota(snapshot, tier, account));
            for (store::QuotaUse* used : {&quota.used, &quota.domain_used}) {
                used->bytes -= std::min(used->bytes, freed.bytes);
                used->messages -= std::min(used->messages, freed.messages);
            }
            return quota.has_room(needed);
        });
    if (!fits) {
        co_return refusal(fits.error(), "APPEND");
    }
    co_return *fits ? Refusal() : no(imap::code::kOverQuota, "Account is over its quota");
}

}  // namespace godwit::serve::imap_desk
