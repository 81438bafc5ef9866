// DATA, BDAT and BURL: content in, never kept, and the verdict at its end. RFC 5321 4.1.1.4;
// RFC 3030 2; RFC 4468 3.2;
// RFC 2033 4.2, 4.3; RFC 1870 6.3; draft-hall-prdr-00.
#include "wire/smtp/server.h"

#include <algorithm>

namespace godwit::smtp {

namespace {
Reply too_big() {
    return make_reply(552, {5, 3, 4}, "Message size exceeds fixed limit");
}
}  // namespace

std::size_t ServerEngine::replies_at_end() const {
    // RFC 2033 4.2: one for each recipient that was accepted.
    return options_.service == Service::Lmtp && transaction_ ? transaction_->recipients.size() : 1;
}

// With one recipient the one reply says it all.
bool ServerEngine::is_block_asked() const {
    return transaction_ && transaction_->parameters.wants_each_reply &&
           transaction_->recipients.size() > 1;
}

void ServerEngine::answer_data_start(const Reply& reply) {
    if (!reply.is_intermediate()) {
        check(!reply.is_positive(), "DataStart is answered with 354, 4xx or 5xx");
        send(reply);
        end_transaction();
        return;
    }
    send({.code = 354, .enhanced = {}, .text = "End data with <CR><LF>.<CR><LF>"});
    data_.emplace(options_.bare_newlines);
    state_ = State::Data;
}

/// Accounts for content just decoded into body_ and hands it on. False when the connection closed
/// because too much content had to be dropped (T7).
bool ServerEngine::take_content(std::size_t consumed, ContentFault fault) {
    content_size_ += body_.size();
    is_oversize_ = is_oversize_ || content_size_ > options_.message_size_max;
    if (!is_oversize_ && fault == ContentFault::None) {
        if (!body_.empty()) {
            events_.emplace_back(event::BodyBytes{.bytes = std::exchange(body_, std::string())});
        }
        return true;
    }
    body_.clear();
    discarded_ += consumed;
    if (discarded_ <= limits::smtp_discard_size_max) {
        return true;
    }
    close_with(is_oversize_ ? too_big() : make_reply(550, {5, 5, 2}, std::string(describe(fault))),
               event::CloseReason::Protocol, "too much content to drop");
    return false;
}

bool ServerEngine::run_data() {
    if (unread().empty()) {
        return false;
    }
    const DataReceiver::Progress progress = data_->feed(unread(), body_);
    input_pos_ += progress.consumed;
    if (!take_content(progress.consumed, data_->fault()) || !progress.is_ended) {
        return state_ == State::Data;
    }
    if (data_->is_end_suspicious()) {
        // A1: CR CR LF . CR LF. What follows may be a message's text to the one who sent it.
        refuse_content(make_reply(550, {5, 5, 2}, std::string(describe(ContentFault::BareCr))),
                       replies_at_end());
        close(event::CloseReason::Protocol, "end of data behind CR CR LF");
        return false;
    }
    end_of_content(data_->fault(), data_->is_repaired());
    return true;
}

void ServerEngine::end_of_content(ContentFault fault, bool is_repaired) {
    state_ = State::Command;
    if (is_oversize_) {
        refuse_content(too_big(), replies_at_end());
        return;
    }
    if (fault != ContentFault::None) {
        refuse_content(make_reply(550, {5, 5, 2}, std::string(describe(fault))), replies_at_end());
        return;
    }
    is_block_due_ = is_block_asked();
    replies_due_ = is_block_due_ ? transaction_->recipients.size() : replies_at_end();
    event::EndOfMail end{.transaction = {},
                         .is_each_answered = is_block_due_ || options_.service == Service::Lmtp,
                         .size = content_size_,
                         .was_repaired = is_repaired};
    end.transaction = clear_transaction();
    events_.emplace_back(std::move(end));
    pending_ = Pending::EndOfMail;
}

void ServerEngine::refuse_content(const Reply& reply, std::size_t copies) {
    end_transaction();
    for (std::size_t i = 1; i < copies; ++i) {
        send(reply);
    }
    refuse_command(reply);
}

void ServerEngine::answer_end_of_mail(const std::vector<Reply>& replies) {
    const bool is_block = std::exchange(is_block_due_, false) && replies.size() > 1;
    if (is_block) {
        send({.code = 353, .enhanced = {}, .text = "One reply for each recipient follows"});
    }
    for (const Reply& reply : replies) {
        send(reply);
        if (reply.is_positive()) {
            junk_ = 0;
        }
    }
    if (is_block) {
        // The last word is of the message as a whole: it was taken when anybody took it.
        const auto taken = std::ranges::find_if(replies, &Reply::is_positive);
        send(taken != replies.end() ? *taken : replies.front());
    }
    (void)close_if_shutting_down();
}

/// Why a chunk may not be taken. Its octets are read all the same (RFC 3030 2).
std::optional<Reply> ServerEngine::refusal_of_chunk(std::uint64_t size) const {
    if (options_.tls_required && !tls_active_) {
        return make_reply(530, {5, 7, 0}, "Must issue a STARTTLS command first");
    }
    if (!transaction_) {
        return make_reply(503, {5, 5, 1}, "Need MAIL and RCPT first");
    }
    if (!offered_.contains(Extension::Chunking)) {
        return make_reply(503, {5, 5, 1}, "Say EHLO first");
    }
    if (transaction_->recipients.empty()) {
        return options_.service == Service::Lmtp
                   ? make_reply(503, {5, 5, 1}, "No valid recipients")
                   : make_reply(554, {5, 5, 1}, "No valid recipients");
    }
    if (chunk_count_ >= limits::smtp_bdat_chunks_max) {
        return make_reply(552, {5, 3, 4}, "Too many chunks");  // T8
    }
    if (size > options_.message_size_max - content_size_) {
        return too_big();  // E19
    }
    return std::nullopt;
}

void ServerEngine::on(BdatCommand& command) {
    if (auto refusal = refusal_of_chunk(command.size)) {
        const bool has_recipients = transaction_ && !transaction_->recipients.empty();
        std::optional<Reply> then = std::move(refusal);
        if (options_.service == Service::Lmtp && transaction_ && !has_recipients &&
            command.is_last) {
            then.reset();  // RFC 2033 4.3: zero recipients, zero replies.
        }
        const std::size_t copies = command.is_last ? replies_at_end() : 1;
        end_transaction();
        begin_discard(command.size, std::move(then), copies);
        return;
    }
    chunk_left_ = command.size;
    chunk_size_ = command.size;
    chunk_is_last_ = command.is_last;
    ++chunk_count_;
    if (!chunks_) {
        events_.emplace_back(event::DataStart{.is_chunked = true});
        pending_ = Pending::ChunkStart;
        return;
    }
    state_ = State::Chunk;
}

void ServerEngine::on(BurlCommand& command) {
    if (chunk_count_ >= limits::smtp_bdat_chunks_max) {
        refuse_content(make_reply(552, {5, 3, 4}, "Too many chunks"), 1);  // T8
        return;
    }
    chunk_left_ = 0;
    chunk_size_ = 0;
    chunk_is_last_ = command.is_last;
    ++chunk_count_;
    asked_url_ = std::move(command.url);
    if (!chunks_) {
        events_.emplace_back(event::DataStart{.is_chunked = true});
        pending_ = Pending::ChunkStart;
        return;
    }
    ask_for_url();
}

void ServerEngine::ask_for_url() {
    events_.emplace_back(event::FetchUrl{.url = *std::exchange(asked_url_, std::nullopt),
                                         .size_max = options_.message_size_max - content_size_});
    pending_ = Pending::Url;
}

std::optional<std::string> ServerEngine::take_fetched(std::string_view bytes) {
    if (state_ == State::Closed) {
        return std::nullopt;
    }
    check(pending_ == Pending::Url && chunks_.has_value(), "octets of a URL that was asked for");
    chunks_->feed(bytes, body_);
    content_size_ += body_.size();
    chunk_size_ += bytes.size();
    is_oversize_ = is_oversize_ || content_size_ > options_.message_size_max;
    std::string content = std::exchange(body_, std::string());
    if (is_oversize_ || chunks_->fault() != ContentFault::None) {
        return std::nullopt;
    }
    return content;
}

void ServerEngine::end_fetched() {
    if (state_ == State::Closed) {
        return;
    }
    check(pending_ == Pending::Url, "the end of a URL that was asked for");
    pending_ = Pending::None;
    end_of_chunk();
    (void)close_if_shutting_down();
}

void ServerEngine::answer_chunk_start(const Reply& reply) {
    if (reply.is_positive() || reply.is_intermediate()) {
        chunks_.emplace(is_binary() ? BareNewlines::Keep : options_.bare_newlines);
        if (asked_url_) {
            ask_for_url();
            return;
        }
        state_ = State::Chunk;
        return;
    }
    const std::size_t copies = chunk_is_last_ ? replies_at_end() : 1;
    const std::uint64_t size = chunk_left_;
    end_transaction();
    begin_discard(size, reply, copies);
}

bool ServerEngine::run_chunk() {
    if (chunk_left_ > 0 && unread().empty()) {
        return false;
    }
    const std::size_t take =
        static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, unread().size()));
    chunks_->feed(unread().substr(0, take), body_);
    input_pos_ += take;
    chunk_left_ -= take;
    if (!take_content(take, chunks_->fault()) || chunk_left_ > 0) {
        return state_ == State::Chunk;
    }
    end_of_chunk();
    return true;
}

void ServerEngine::end_of_chunk() {
    if (chunk_is_last_) {
        chunks_->end();
        end_of_content(chunks_->fault(), chunks_->is_repaired());
        return;
    }
    state_ = State::Command;
    if (is_oversize_) {
        refuse_content(too_big(), 1);
    } else if (chunks_->fault() != ContentFault::None) {
        refuse_content(make_reply(550, {5, 5, 2}, std::string(describe(chunks_->fault()))), 1);
    } else {
        send(make_reply(250, {2, 0, 0}, std::to_string(chunk_size_) + " octets received"));
    }
}

/// Reads `size` octets of a refused chunk and drops them, then answers.
void ServerEngine::begin_discard(std::uint64_t size, std::optional<Reply> then,
                                 std::size_t copies) {
    if (size > limits::smtp_discard_size_max -
                   std::min<std::uint64_t>(discarded_, limits::smtp_discard_size_max)) {
        close_with(then.value_or(too_big()), event::CloseReason::Protocol,
                   "too much content to drop");
        return;
    }
    discarded_ += size;
    chunk_left_ = size;
    discard_then_ = std::move(then);
    discard_copies_ = copies;
    state_ = State::Discard;
}

bool ServerEngine::run_discard() {
    if (chunk_left_ > 0 && unread().empty()) {
        return false;
    }
    const std::size_t take =
        static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, unread().size()));
    input_pos_ += take;
    chunk_left_ -= take;
    if (chunk_left_ > 0) {
        return false;
    }
    state_ = State::Command;
    if (discard_then_) {
        const Reply reply = *std::exchange(discard_then_, std::nullopt);
        refuse_content(reply, discard_copies_);
    }
    return true;
}

}  // namespace godwit::smtp
