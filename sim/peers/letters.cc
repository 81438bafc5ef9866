#include "sim/peers/letters.h"

#include "mail/text/date.h"

namespace godwit::sim {

namespace {

enum class Kind : std::uint8_t { Words, Dots, LongLines, EightBit, Parts };

std::size_t size_of_body(Dice* dice) {
    const double luck = dice->fraction();
    if (luck < 0.05) {
        return 0;
    }
    if (luck < 0.85) {
        return dice->below(4000);
    }
    if (luck < 0.975) {
        return dice->below(40'000);
    }
    if (luck < 0.997) {
        return dice->below(300'000);
    }
    // Over a megabyte: kept in a file of its own.
    return 1'100'000 + dice->below(400'000);
}

void add_words(std::string& body, Dice* dice) {
    static constexpr std::string_view kWords[] = {"godwits ", "fly ", "from ",    "Alaska ",
                                                  "to ",      "New ", "Zealand ", "without ",
                                                  "a ",       "rest "};
    const std::size_t count = dice->below(12);
    for (std::size_t i = 0; i < count; ++i) {
        body += kWords[dice->below(std::size(kWords))];
    }
    body += std::to_string(dice->below(1'000'000));
}

void add_line(std::string& body, Kind kind, Dice* dice) {
    switch (kind) {
        case Kind::Dots:
            // RFC 5321 4.5.2: what a careless hop takes for the end, or loses a dot of.
            body.append(dice->below(5), '.');
            if (dice->chance(0.3)) {
                body += " dot";
            }
            break;
        case Kind::LongLines: body.append(900 + dice->below(99), 'x'); break;
        case Kind::EightBit:
            body += "Gr\xC3\xBC\xC3\x9F dich ";
            body += static_cast<char>(0x80 + dice->below(0x80));
            break;
        case Kind::Words:
        case Kind::Parts: add_words(body, dice); break;
    }
    body += "\r\n";
}

std::string body_of(Kind kind, Dice* dice) {
    std::string body;
    const std::size_t size = size_of_body(dice);
    if (kind == Kind::Parts) {
        body += "--b\r\nContent-Type: text/plain\r\n\r\n";
    }
    // A large body is thrown once and repeated: it is its length that matters.
    std::string piece;
    while (body.size() + piece.size() < size && piece.size() < 8000) {
        add_line(piece, kind, dice);
    }
    do {
        body += piece;
    } while (!piece.empty() && body.size() < size);
    if (kind == Kind::Parts) {
        body +=
            "--b\r\nContent-Type: application/octet-stream\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\nR29kd2l0\r\n--b--\r\n";
    }
    return body;
}

}  // namespace

Letter write_letter(const LetterOptions& options, Dice* dice) {
    const auto kind = static_cast<Kind>(dice->below(5));
    Letter letter{.token = options.token, .sender = options.sender, .text = ""};
    std::string& text = letter.text;
    text += "Date: " + mail::format_date(unix_seconds(options.at)) + "\r\n";
    text += "From: " + (options.sender.empty() ? "nobody@sim.test" : options.sender) + "\r\n";
    text += "To: " + options.to + "\r\n";
    text += "Message-ID: <" + options.token + "@sim.test>\r\n";
    text += "Subject: " + options.token + " from abroad\r\n";
    if (dice->chance(0.2)) {
        text += "X-Folded: one\r\n two\r\n\tthree\r\n";
    }
    if (kind == Kind::Parts) {
        text += "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
    } else if (kind == Kind::EightBit) {
        text +=
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n";
    }
    text += "\r\n";
    text += body_of(kind, dice);
    return letter;
}

}  // namespace godwit::sim
