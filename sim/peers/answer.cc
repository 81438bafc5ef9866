#include "sim/peers/answer.h"

#include "base/limits.h"

namespace godwit::sim {

Shape odd_shape(Dice& dice) {
    return dice.pick<Shape>({Shape::NoText, Shape::ManyLines, Shape::LfOnly, Shape::EightBit});
}

Shape long_shape(Dice& dice) {
    return dice.pick<Shape>(
        {Shape::LongLine, Shape::LongReply, Shape::TooLongLine, Shape::TooLongReply});
}

std::string written(const Answer& answer, Shape shape) {
    std::vector<std::string> lines;
    std::string first = answer.status.empty() ? "" : answer.status + " ";
    first += answer.text;
    switch (shape) {
        case Shape::Plain:
        case Shape::LfOnly: break;
        case Shape::NoText:
            // A reply of several lines means what its lines say.
            if (answer.lines.empty()) {
                first.clear();
            }
            break;
        case Shape::ManyLines: first += "\nin other words\n\nthat was all"; break;
        case Shape::EightBit: first += " gr\xFC\xDF dich"; break;
        case Shape::LongLine: first.resize(limits::smtp_reply_line_size_max - 200, 'x'); break;
        case Shape::TooLongLine: first.resize(limits::smtp_reply_line_size_max + 200, 'x'); break;
        case Shape::LongReply:
        case Shape::TooLongReply: break;
    }
    for (std::size_t at = 0; at <= first.size();) {
        const std::size_t end = std::min(first.find('\n', at), first.size());
        lines.push_back(first.substr(at, end - at));
        at = end + 1;
    }
    lines.insert(lines.end(), answer.lines.begin(), answer.lines.end());
    std::size_t wanted = lines.size();
    if (shape == Shape::LongReply) {
        wanted = limits::smtp_reply_lines_max - 1;
    } else if (shape == Shape::TooLongReply) {
        wanted = limits::smtp_reply_lines_max + 20;
    }
    while (lines.size() < wanted) {
        lines.push_back("X-MORE" + std::to_string(lines.size()));
    }
    std::string out;
    const std::string code = std::to_string(answer.code);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const bool is_last = i + 1 == lines.size();
        const bool is_bare = is_last && lines[i].empty();
        out += code + (is_bare ? "" : is_last ? " " : "-") + lines[i];
        out += shape == Shape::LfOnly ? "\n" : "\r\n";
    }
    return out;
}

}  // namespace godwit::sim
