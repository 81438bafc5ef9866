// An mbox: the same messages however it comes; what we write is read back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/file/mbox.h"

using namespace godwit;
using namespace godwit::mail;

namespace {

std::string read(std::string_view input, MboxQuoting quoting, std::size_t piece) {
    MboxReader reader(quoting);
    for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
        reader.feed(input.substr(0, piece));
    }
    reader.finish();
    std::string out;
    while (auto event = reader.next()) {
        if (auto* octets = std::get_if<MboxOctets>(&*event)) {
            out.append(octets->octets);
        } else if (auto* begin = std::get_if<MboxBegin>(&*event)) {
            out.append("\x01").append(begin->from_line).append("\x01");
        } else {
            for (const std::string& flag : std::get<MboxEnd>(*event).flags) {
                out.append(" ").append(flag);
            }
            out.append("\x02");
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    for (const MboxQuoting quoting : {MboxQuoting::Rd, MboxQuoting::Old, MboxQuoting::None}) {
        check(read(input, quoting, size + 1) == read(input, quoting, 1),
              "splitting changes nothing");
    }
    // As a message, with an end to its last line and line ends of files.
    if (input.find('\r') != std::string_view::npos || size > mbox_line_max) {
        return 0;
    }
    const std::string message = std::string(input) + "\n";
    std::string file = mbox_front(0, {"\\Seen"}, "\n");
    MboxQuoter quoter;
    quoter.feed(message, file);
    quoter.finish(file);
    file.append("\n");
    const std::string front = file.substr(0, file.find('\n'));
    // A message that begins with a folded line would go on with our last header: no mail does.
    if (!message.starts_with(' ') && !message.starts_with('\t')) {
        check(read(file, MboxQuoting::Rd, 7) == "\x01" + front + "\x01" + message + " \\Seen\x02",
              "what is written is read back");
    }
    return 0;
}
