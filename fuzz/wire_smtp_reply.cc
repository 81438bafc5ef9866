// Replies read whole and octet by octet are the same, and their text is clean.
#include <cstdint>
#include <vector>

#include "base/ascii.h"
#include "wire/smtp/extension.h"
#include "wire/smtp/reply.h"

using namespace godwit;

namespace {
std::vector<smtp::Reply> read_all(std::string_view bytes, std::size_t piece, std::string& failure) {
    smtp::ReplyParser parser;
    std::vector<smtp::Reply> replies;
    while (!bytes.empty()) {
        const auto progress = parser.feed(bytes.substr(0, piece));
        bytes.remove_prefix(progress.consumed);
        if (progress.status == smtp::ReplyParser::Status::Failed) {
            failure = parser.failure();
            break;
        }
        if (progress.status == smtp::ReplyParser::Status::Complete) {
            replies.push_back(parser.take());
        }
    }
    return replies;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::string whole_failure;
    std::string split_failure;
    const auto whole = read_all(bytes, bytes.size(), whole_failure);
    const auto split_up = read_all(bytes, 1, split_failure);
    check(whole == split_up && whole_failure.empty() == split_failure.empty(),
          "a split changes nothing");
    for (const smtp::Reply& reply : whole) {
        check(is_utf8(reply.text) && reply.text.find('\r') == std::string::npos, "text is clean");
        (void)smtp::parse_ehlo_reply(reply);
        (void)smtp::to_string(reply);
        std::string out;
        smtp::write_reply(reply, out);
    }
    return 0;
}
