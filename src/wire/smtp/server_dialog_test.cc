// Plays tests/golden/smtp/*.md against the server engine: in groups, octet by octet, and at random
// splits. The form is described in that folder's README.md.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/random.h"
#include "wire/smtp/scripted_caller.h"

namespace godwit::smtp {
namespace {

struct Step {
    enum class Kind { Client, Server, Event, Act } kind = Kind::Client;
    std::string text;
};
struct Dialog {
    std::string name;
    ServerOptions options;
    bool only_whole = false;
    std::vector<Step> steps;
};
enum class Feeding { Groups, Bytewise, Random };

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char code = text[++i];
        if (code == 'x') {
            out += hex_decode(text.substr(i + 1, 2)).value_or("?");
            i += 2;
        } else {
            out += code == 'r'   ? '\r'
                   : code == 'n' ? '\n'
                   : code == '0' ? '\0'
                   : code == 't' ? '\t'
                                 : code;
        }
    }
    return out;
}

void set_option(Dialog& dialog, std::string_view line) {
    ServerOptions& options = dialog.options;
    const auto words = split(line, ' ');
    const std::string_view value = words.size() > 1 ? words[1] : "";
    if (words[0] == "@service") {
        options.service = value == "lmtp"         ? Service::Lmtp
                          : value == "submission" ? Service::Submission
                                                  : Service::Mx;
    } else if (words[0] == "@tls") {
        options.tls_available = options.tls_available || value == "available";
        options.tls_active = options.tls_active || value == "active";
        options.tls_required = options.tls_required || value == "required";
    } else if (words[0] == "@auth") {
        options.auth_available = true;
        options.auth_required = value == "required";
    } else if (words[0] == "@plaintext") {
        options.allow_plaintext_auth = true;
    } else if (words[0] == "@size") {
        options.message_size_max = *parse_u64(value);
    } else if (words[0] == "@recipients") {
        options.recipients_max = *parse_u64(value);
    } else if (words[0] == "@reject-bare-lf") {
        options.bare_newlines = BareNewlines::Reject;
    } else if (words[0] == "@answers") {
        options.answers_questions = value == "all";
        options.answers_questions_of_users = value == "users";
    } else if (words[0] == "@trusted") {
        options.takes_stand_ins = true;
        options.takes_forwarded = true;
    } else if (words[0] == "@requests") {
        options.takes_requests = value == "all";
        options.takes_requests_of_users = value == "users";
    } else if (words[0] == "@whole") {
        dialog.only_whole = true;
    } else {
        dialog.steps.push_back({Step::Kind::Act, std::string(line)});
    }
}

std::vector<Dialog> load(const std::filesystem::path& file) {
    std::vector<Dialog> dialogs;
    std::ifstream in(file);
    bool is_inside = false;
    std::string name;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("## ")) {
            name = file.stem().string() + ": " + line.substr(3);
        } else if (line.starts_with("```")) {
            is_inside = line == "```smtp";
            if (is_inside) {
                dialogs.emplace_back();
                dialogs.back().name = name;
                dialogs.back().options.hostname = "mx.example.org";
                dialogs.back().options.nonce_seed = "seed";
            }
        } else if (is_inside && line.starts_with('@')) {
            set_option(dialogs.back(), line);
        } else if (is_inside && line.size() >= 3) {
            const std::string text = line.substr(3);
            const char who = line[0];
            dialogs.back().steps.push_back({who == 'S'   ? Step::Kind::Server
                                            : who == 'E' ? Step::Kind::Event
                                                         : Step::Kind::Client,
                                            who == 'C'   ? text + "\r\n"
                                            : who == 'c' ? unescape(text)
                                                         : text});
        }
    }
    return dialogs;
}

std::string joined(const std::vector<std::string>& log) {
    std::string text;
    for (const std::string& line : log) {
        text += line + "\n";
    }
    return text;
}

void feed(ScriptedCaller& caller, std::string_view bytes, Feeding feeding, SeededRandom& random) {
    while (!bytes.empty()) {
        const std::size_t size = feeding == Feeding::Groups     ? bytes.size()
                                 : feeding == Feeding::Bytewise ? 1
                                                                : 1 + random.below(bytes.size());
        caller.feed(bytes.substr(0, size));
        bytes.remove_prefix(size);
    }
}

void act(ScriptedCaller& caller, std::string_view what) {
    if (what == "@shutdown") {
        caller.engine.begin_shutdown();
    } else if (what == "@timeout") {
        caller.engine.on_timeout();
    } else if (what == "@disconnect") {
        caller.engine.on_disconnect();
    } else {
        FAIL() << "unknown line " << what;
    }
    caller.drain();
}

void play(const Dialog& dialog, Feeding feeding, std::uint64_t seed) {
    SCOPED_TRACE(dialog.name + (feeding == Feeding::Groups     ? " in groups"
                                : feeding == Feeding::Bytewise ? " bytewise"
                                                               : " split"));
    SeededRandom random(seed);
    ScriptedCaller caller(dialog.options);
    caller.engine.greet();
    caller.drain();
    std::string got;
    std::string wanted;
    std::string events;
    std::string group;
    for (std::size_t i = 0; i <= dialog.steps.size(); ++i) {
        const bool is_client =
            i < dialog.steps.size() && dialog.steps[i].kind == Step::Kind::Client;
        if (is_client) {
            group += dialog.steps[i].text;
            continue;
        }
        feed(caller, std::exchange(group, std::string()), feeding, random);
        got += caller.take_output();
        if (i == dialog.steps.size()) {
            break;
        }
        const Step& step = dialog.steps[i];
        if (step.kind == Step::Kind::Act) {
            act(caller, step.text);
            got += caller.take_output();
        } else if (step.kind == Step::Kind::Server) {
            wanted += step.text + "\r\n";
            // In step: what is wanted so far has come by now.
            ASSERT_EQ(got.substr(0, wanted.size()), wanted);
        } else {
            events += step.text + "\n";
        }
    }
    EXPECT_EQ(got, wanted);
    EXPECT_EQ(joined(caller.log), events);
}

TEST(ServerDialog, golden) {
    const std::filesystem::path folder = GODWIT_SOURCE_DIR "/tests/golden/smtp";
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        for (const Dialog& dialog :
             entry.path().filename() == "README.md" ? std::vector<Dialog>() : load(entry.path())) {
            ++count;
            play(dialog, Feeding::Groups, 0);
            if (!dialog.only_whole) {
                play(dialog, Feeding::Bytewise, 0);
                for (std::uint64_t seed = 1; seed <= 20; ++seed) {
                    play(dialog, Feeding::Random, seed);
                }
            }
        }
    }
    EXPECT_GE(count, 30U);
}

}  // namespace
}  // namespace godwit::smtp
