// Reads the options of sendmail(8).
#include "app/sendmail_options.h"

#include "base/ascii.h"

namespace godwit::app {
namespace {

// Options that take a value, in the same word or in the next one. Others of one letter with more in
// their word (-oi, -bm, -q15m) have the rest as their value and never take the next word.
constexpr std::string_view kWithValue = "BCDFLNORVXfhpr";
constexpr std::string_view kAttached = "Abdoq";
constexpr std::string_view kSwitches = "GUimnstvx";

class Reader {
public:
    explicit Reader(const std::vector<std::string>& words) : words_(words) {}

    Result<SendmailOptions> read() {
        for (; index_ < words_.size(); ++index_) {
            const std::string& word = words_[index_];
            if (word == "--") {
                out_.recipients.insert(out_.recipients.end(),
                                       words_.begin() + static_cast<std::ptrdiff_t>(index_) + 1,
                                       words_.end());
                break;
            }
            if (word.starts_with("--")) {
                TRY(long_option(word));
            } else if (word.size() > 1 && word[0] == '-') {
                TRY(letters(word));
            } else {
                out_.recipients.push_back(word);
            }
        }
        return std::move(out_);
    }

    SendmailOptions& out() { return out_; }

private:
    Result<std::string> next_word(const std::string& option) {
        if (index_ + 1 >= words_.size()) {
            return peer_error(ErrorCode::Invalid, "option " + option + " needs a value");
        }
        return words_[++index_];
    }

    Result<> long_option(const std::string& word) {
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(0, equals);
        if (name != "--dir" && name != "--config") {
            return peer_error(ErrorCode::Invalid, "unknown option '" + name + "'");
        }
        std::string value =
            equals == std::string::npos ? TRY(next_word(name)) : word.substr(equals + 1);
        (name == "--dir" ? out_.dir : out_.config) = std::move(value);
        return {};
    }

    Result<> letters(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const char letter = word[i];
            if (kSwitches.find(letter) != std::string_view::npos) {
                flag(letter);
                continue;
            }
            std::string value = word.substr(i + 1);
            if (kAttached.find(letter) != std::string_view::npos) {
                return attached(letter, value);
            }
            if (kWithValue.find(letter) == std::string_view::npos) {
                return peer_error(ErrorCode::Invalid,
                                  std::string("unknown option '-") + letter + "'");
            }
            if (value.empty()) {
                value = TRY(next_word(std::string("-") + letter));
            }
            return with_value(letter, std::move(value));
        }
        return {};
    }

    void flag(char letter) {
        out_.recipients_from_header = out_.recipients_from_header || letter == 't';
        out_.dot_is_text = out_.dot_is_text || letter == 'i';
        out_.is_verbose = out_.is_verbose || letter == 'v';
    }

    Result<> attached(char letter, const std::string& value) {
        if (letter == 'q') {
            out_.mode = SendmailMode::RunQueue;
        } else if (letter == 'o' && value == "i") {
            out_.dot_is_text = true;
        } else if (letter == 'b') {
            return mode(value);
        }
        return {};
    }

    Result<> mode(const std::string& value) {
        if (value == "m") {
            out_.mode = SendmailMode::Deliver;
        } else if (value == "p") {
            out_.mode = SendmailMode::PrintQueue;
        } else if (value == "s") {
            out_.mode = SendmailMode::Smtp;
        } else if (value == "i") {
            out_.mode = SendmailMode::Nothing;
        } else {
            return peer_error(ErrorCode::Unsupported, "mode -b" + value + " is not offered");
        }
        return {};
    }

    Result<> with_value(char letter, std::string value) {
        switch (letter) {
            case 'f':
            case 'r': out_.sender = value == "<>" ? "" : std::move(value); break;
            case 'F': out_.full_name = std::move(value); break;
            case 'V': out_.envid = std::move(value); break;
            case 'R':
                out_.ret = equals_ignore_case(value, "hdrs") ? smtp::DsnReturn::Headers
                                                             : smtp::DsnReturn::Full;
                break;
            case 'N': return notify(value);
            case 'O':
                out_.dot_is_text = out_.dot_is_text || starts_with_ignore_case(value, "IgnoreDots");
                break;
            default: break;
        }
        return {};
    }

    Result<> notify(std::string_view value) {
        out_.notify = {.is_stated = true};
        for (const std::string_view word : split(value, ',')) {
            if (equals_ignore_case(word, "success")) {
                out_.notify.success = true;
            } else if (equals_ignore_case(word, "failure")) {
                out_.notify.failure = true;
            } else if (equals_ignore_case(word, "delay")) {
                out_.notify.delay = true;
            } else if (!equals_ignore_case(word, "never")) {
                return peer_error(ErrorCode::Invalid,
                                  "-N: expected never, or some of success, failure "
                                  "and delay, found '" +
                                      std::string(word) + "'");
            }
        }
        return {};
    }

    const std::vector<std::string>& words_;
    std::size_t index_ = 0;
    SendmailOptions out_;
};

}  // namespace

Result<SendmailOptions> read_sendmail_options(const std::string& name,
                                              const std::vector<std::string>& words) {
    Reader reader(words);
    if (name == "mailq") {
        reader.out().mode = SendmailMode::PrintQueue;
    } else if (name == "newaliases") {
        reader.out().mode = SendmailMode::Nothing;
    }
    return reader.read();
}

std::string cut_at_dot(std::string text, const SendmailOptions& options) {
    if (options.dot_is_text) {
        return text;
    }
    std::size_t line = 0;
    while (line < text.size()) {
        std::size_t end = text.find('\n', line);
        end = end == std::string::npos ? text.size() : end;
        std::string_view content = std::string_view(text).substr(line, end - line);
        if (content.ends_with('\r')) {
            content.remove_suffix(1);
        }
        if (content == ".") {
            text.resize(line);
            break;
        }
        line = end + 1;
    }
    return text;
}

}  // namespace godwit::app
