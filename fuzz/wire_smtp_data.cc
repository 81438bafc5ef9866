// Content framers: a split changes nothing, what is taken is canonical, what is sent comes back.
#include <cstdint>

#include "base/result.h"
#include "wire/smtp/data.h"

using namespace godwit;

namespace {

struct Taken {
    std::string content;
    smtp::ContentFault fault{};
    bool is_ended = false;
    std::size_t consumed = 0;
    bool operator==(const Taken&) const = default;
};

Taken take(std::string_view wire, std::size_t piece, smtp::BareNewlines mode) {
    smtp::DataReceiver receiver(mode);
    Taken taken;
    while (taken.consumed < wire.size() && !taken.is_ended) {
        const auto progress = receiver.feed(wire.substr(taken.consumed, piece), taken.content);
        taken.consumed += progress.consumed;
        taken.is_ended = progress.is_ended;
    }
    taken.fault = receiver.fault();
    if (taken.fault != smtp::ContentFault::None) {
        taken.content.clear();
    }
    return taken;
}

std::string take_chunks(std::string_view bytes, std::size_t piece) {
    smtp::ChunkReceiver receiver(smtp::BareNewlines::Repair);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        receiver.feed(bytes.substr(at, piece), out);
    }
    receiver.end();
    return receiver.fault() == smtp::ContentFault::None ? out : "fault";
}

bool is_canonical(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) ||
            (text[i] == '\r' && i + 1 < text.size() && text[i + 1] != '\n') || text[i] == '\0') {
            return false;
        }
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::size_t piece = 1 + data[0] % 16U;
    const auto mode = (data[1] & 1) != 0 ? smtp::BareNewlines::Reject : smtp::BareNewlines::Repair;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Taken whole = take(bytes, bytes.size() + 1, mode);
    check(whole == take(bytes, piece, mode) && whole == take(bytes, 1, mode),
          "a split changes nothing");
    check(is_canonical(whole.content), "what is taken is canonical");
    const std::size_t end = (std::string("\r\n") + std::string(bytes)).find("\r\n.\r\n");
    check(whole.is_ended == (end != std::string::npos), "CRLF.CRLF ends, nothing else");
    check(!whole.is_ended || whole.consumed == end + 3, "exactly there");
    const std::string chunks = take_chunks(bytes, bytes.size() + 1);
    check(chunks == take_chunks(bytes, piece), "a split changes nothing in chunks");
    check(chunks == "fault" || is_canonical(chunks), "chunks are canonical");

    std::string sent;
    smtp::ContentSender sender(smtp::ContentSender::Framing::Dots);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        sender.feed(bytes.substr(at, piece), sent);
    }
    sender.finish(sent);
    const Taken back = take(sent, sent.size() + 1, smtp::BareNewlines::Reject);
    check(back.is_ended && back.consumed == sent.size(), "what is sent ends once, at its end");
    const bool has_nul = bytes.find('\0') != std::string_view::npos;
    check(has_nul || back.fault == smtp::ContentFault::None, "nothing bare leaves");
    check(has_nul || sender.is_altered() || back.content == bytes ||
              back.content == std::string(bytes) + "\r\n",
          "what is sent comes back");
    return 0;
}
