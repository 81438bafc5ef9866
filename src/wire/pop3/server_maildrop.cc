// The open maildrop: listings, messages, marks, and QUIT, which removes what is marked.
// RFC 1939 5 to 7. SECURITY.md T87.
#include <utility>

#include "base/ascii.h"
#include "base/result.h"
#include "wire/pop3/server.h"

namespace godwit::pop3 {

std::uint64_t Server::remaining_size() const {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < maildrop_.size(); ++i) {
        out += deleted_[i] ? 0 : maildrop_[i].size;
    }
    return out;
}

std::optional<ServerEvent> Server::on_stat(std::string_view) {
    ok(std::to_string(remaining_count()) + " " + std::to_string(remaining_size()));
    return std::nullopt;
}

std::optional<std::size_t> Server::find_message(std::string_view argument) {
    const auto number = parse_u64(argument);
    if (!number || *number == 0) {
        syntax_error("Expected a message number");
        return std::nullopt;
    }
    if (*number > maildrop_.size()) {
        error("No such message");
        return std::nullopt;
    }
    const auto index = static_cast<std::size_t>(*number - 1);
    if (deleted_[index]) {
        error("Message is deleted");
        return std::nullopt;
    }
    return index;
}

void Server::write_one(std::size_t index, Listing listing) {
    output_.append(std::to_string(index + 1)).append(" ");
    if (listing == Listing::Sizes) {
        output_.append(std::to_string(maildrop_[index].size));
    } else {
        output_.append(maildrop_[index].unique_id);
    }
    output_.append("\r\n");
}

std::optional<ServerEvent> Server::list_or_one(std::string_view arguments, Listing listing) {
    if (arguments.empty()) {
        ok(std::to_string(remaining_count()) + " messages");
        listing_ = listing;
        listing_at_ = 0;
    } else if (const auto index = find_message(arguments)) {
        output_.append("+OK ");
        write_one(*index, listing);
    }
    return std::nullopt;
}

// Writes until the buffer is full or the list is done; a big maildrop costs one buffer (T87).
bool Server::write_listing() {
    while (listing_at_ < maildrop_.size()) {
        if (output_.size() >= limits::stream_write_buffer_max) {
            return false;
        }
        if (!deleted_[listing_at_]) {
            write_one(listing_at_, listing_);
        }
        ++listing_at_;
    }
    output_.append(".\r\n");
    listing_ = Listing::None;
    return true;
}

std::optional<ServerEvent> Server::on_list(std::string_view arguments) {
    return list_or_one(arguments, Listing::Sizes);
}

std::optional<ServerEvent> Server::on_uidl(std::string_view arguments) {
    return list_or_one(arguments, Listing::UniqueIds);
}

std::optional<ServerEvent> Server::on_retr(std::string_view arguments) {
    const auto index = find_message(arguments);
    if (!index) {
        return std::nullopt;
    }
    if (maildrop_[*index].requires_utf8 && !utf8_) {
        error("Message needs UTF8 mode", "UTF8");
        return std::nullopt;
    }
    top_lines_.reset();
    waiting_ = Waiting::Message;
    return Retrieve{*index, std::nullopt};
}

std::optional<ServerEvent> Server::on_top(std::string_view arguments) {
    const std::size_t space = arguments.find(' ');
    const auto lines =
        space == std::string_view::npos ? std::nullopt : parse_u64(arguments.substr(space + 1));
    if (!lines) {
        syntax_error("Expected TOP message lines");
        return std::nullopt;
    }
    auto event = on_retr(arguments.substr(0, space));
    if (event) {
        top_lines_ = lines;
        std::get<Retrieve>(*event).top_lines = lines;
    }
    return event;
}

void Server::begin_message(std::uint64_t size, std::uint64_t header_size) {
    check(waiting_ == Waiting::Message, "begin_message() without RETR");
    waiting_ = Waiting::Body;
    if (top_lines_) {
        ok("Top follows");
        stuffer_ = MessageStuffer(TopLimit{header_size, *top_lines_});
    } else {
        ok(std::to_string(size) + " octets");
        stuffer_ = MessageStuffer();
    }
}

bool Server::add_message(std::string_view bytes) {
    check(waiting_ == Waiting::Body, "add_message() without begin_message()");
    return stuffer_.add(bytes, output_);
}

void Server::end_message() {
    check(waiting_ == Waiting::Body, "end_message() without begin_message()");
    stuffer_.finish(output_);
    waiting_ = Waiting::Nothing;
}

void Server::refuse(LoginFailure failure, std::string_view text) {
    check(waiting_ == Waiting::Message, "refuse() without RETR");
    waiting_ = Waiting::Nothing;
    error(text, code_of(failure));
}

std::optional<ServerEvent> Server::on_dele(std::string_view arguments) {
    if (const auto index = find_message(arguments)) {
        deleted_[*index] = true;
        ++deleted_count_;
        ok("Message " + std::to_string(*index + 1) + " will be removed");
    }
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_rset(std::string_view) {
    deleted_.assign(maildrop_.size(), false);
    deleted_count_ = 0;
    ok("Maildrop has " + std::to_string(maildrop_.size()) + " messages");
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_quit(std::string_view) {
    if (state_ == State::Authorization) {
        ok("Goodbye");
        state_ = State::Closed;
        return std::nullopt;
    }
    // RFC 1939 6: only QUIT removes anything.
    Commit out;
    out.deleted.reserve(deleted_count_);
    for (std::size_t i = 0; i < deleted_.size(); ++i) {
        if (deleted_[i]) {
            out.deleted.push_back(i);
        }
    }
    waiting_ = Waiting::Commit;
    return out;
}

void Server::committed(bool all_removed) {
    check(waiting_ == Waiting::Commit, "committed() without QUIT");
    waiting_ = Waiting::Nothing;
    if (all_removed) {
        ok("Goodbye");
    } else {
        error("Some deleted messages are not removed", "SYS/TEMP");
    }
    state_ = State::Closed;
}

}  // namespace godwit::pop3
