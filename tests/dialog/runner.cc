#include "runner.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/ascii.h"
#include "play.h"

namespace godwit::dialog {

namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

// Settings have a table of their own (house_settings.cc).
const Play::DirectiveRow Play::kDirectives[] = {
    {"account", 3, House::Either, &Play::account}, {"alias", 3, House::Either, &Play::alias},
    {"dns", 3, House::Either, &Play::dns},         {"once", 1, House::Either, &Play::once},
    {"connect", 3, House::Runs, &Play::connect},   {"on", 2, House::Runs, &Play::turn_to},
    {"peer", 3, House::Runs, &Play::peer},         {"accept", 2, House::Runs, &Play::accept},
    {"compress", 1, House::Runs, &Play::compress}, {"nobody", 2, House::Runs, &Play::nobody},
    {"starttls", 1, House::Runs, &Play::starttls}, {"close", 1, House::Runs, &Play::close},
    {"closed", 1, House::Runs, &Play::closed},     {"silent", 1, House::Runs, &Play::silent},
    {"login", 4, House::Runs, &Play::log_in},      {"passwd", 3, House::Runs, &Play::change},
    {"disable", 2, House::Runs, &Play::change},    {"remove", 2, House::Runs, &Play::change},
    {"fill", 4, House::Runs, &Play::fill},         {"damage", 3, House::Runs, &Play::damage},
    {"disk", 2, House::Runs, &Play::disk},         {"admin", 2, House::Runs, &Play::admin},
    {"operator", 2, House::Runs, &Play::oversee},  {"advance", 2, House::Runs, &Play::advance},
    {"restart", 1, House::Runs, &Play::restart},   {"queue", 2, House::Runs, &Play::queue},
    {"move-in", 4, House::Runs, &Play::move_in},   {"index", 1, House::Runs, &Play::index},
    {"pool", 2, House::Runs, &Play::pool},         {"fsck", 1, House::Runs, &Play::fsck},
};

void Play::ensure_started() {
    if (!is_started_) {
        is_started_ = true;
        net::MemoryPairOptions pairs;
        pairs.chunk_max = options_.chunk_max;
        stage_->network().set_pair_options(pairs);
        stage_->start();
        if (options_.fail_lookup != 0) {
            stage_->resolver().fail_lookup(options_.fail_lookup);
        }
        stage_->network().faults().fail_step(options_.fail_step);
    }
}

std::optional<std::string> Play::direct(const std::string& text) {
    Words words;
    for (const std::string_view word : split(text, ' ')) {
        if (!word.empty()) {
            words.push_back(word);
        }
    }
    const std::string_view name = words.front();
    const std::string rest(trim(std::string_view(text).substr(name.size())));
    if (is_setting(name)) {
        return is_started_
                   ? std::optional("@" + std::string(name) + " comes before the first connection")
                   : set_up(words, stage_->settings());
    }
    for (const DirectiveRow& row : kDirectives) {
        if (row.name == name && words.size() >= row.words_min) {
            if (row.house == House::Runs) {
                ensure_started();
            }
            return (this->*row.perform)(words, rest);
        }
    }
    return "unknown directive @" + text;
}

std::optional<std::string> Play::perform(const Line& line) {
    const bool is_swapped = current_ != nullptr && current_->is_server;
    switch (line.kind) {
        case Line::Kind::Directive: return direct(line.text);
        case Line::Kind::ClientRaw: return tell(unescape(fill_in(line.text)));
        case Line::Kind::ServerRaw: return tell(unescape(fill_in(line.text)));
        case Line::Kind::Client:
            return is_swapped ? expect(line.text, false)
                              : tell(unescape(fill_in(line.text)) + "\r\n");
        case Line::Kind::Server:
            if (any_order_) {
                any_order_->push_back(line.text);
                return std::nullopt;
            }
            return is_swapped ? tell(unescape(fill_in(line.text)) + "\r\n")
                              : expect(line.text, false);
        case Line::Kind::ClientSkip:
        case Line::Kind::ServerSkip: return expect(line.text, true);
        case Line::Kind::AnyOrderBegin: any_order_.emplace(); return std::nullopt;
        case Line::Kind::AnyOrderEnd: return expect_any_order();
    }
    return std::nullopt;
}

// After whatever happened the house must serve the next client as if nothing had.
bool Play::check_alive() {
    ensure_started();
    stage_->network().faults().fail_step(0);
    for (const char* door : {"smtp", "imap", "pop3"}) {
        auto player = std::make_unique<Player>();
        current_ = player.get();
        players_["alive"] = std::move(player);
        net::spawn(stage_->loop().shard(), "dialog.connect",
                   dial(current_, &stage_->network(), Stage::door(door)));
        const std::optional<std::string> greeting = next_line();
        if (!greeting || greeting->find("421") == 0) {
            return false;
        }
    }
    return true;
}

PlayResult Play::run() {
    PlayResult result;
    result.is_passed = true;
    for (const Line& line : lines_) {
        if (line.kind != Line::Kind::Directive) {
            ensure_started();
        }
        if (std::optional<std::string> failure = perform(line)) {
            result.is_passed = false;
            result.failure = "line " + std::to_string(line.number) + ": " + *failure;
            break;
        }
    }
    if (is_started_) {
        result.steps = stage_->network().faults().steps();
        result.lookups = stage_->resolver().lookups();
    }
    result.is_alive = check_alive();
    current_ = nullptr;
    // Streams die before the loop they live on.
    for (auto& [name, player] : players_) {
        player->stream.reset();
    }
    for (const std::unique_ptr<Player>& player : retired_) {
        player->stream.reset();
    }
    peers_.clear();
    stage_.reset();
    return result;
}

PlayResult play(const std::string& path, const PlayOptions& options) {
    const Result<std::vector<Line>> lines = parse_script(read_file(path));
    if (!lines) {
        return {.is_passed = false,
                .failure = lines.error().text,
                .steps = 0,
                .lookups = 0,
                .is_alive = true};
    }
    if (lines->empty()) {
        return {.is_passed = false,
                .failure = "the script is empty or not there",
                .steps = 0,
                .lookups = 0,
                .is_alive = true};
    }
    Play a_play(*lines, options);
    return a_play.run();
}

}  // namespace godwit::dialog
