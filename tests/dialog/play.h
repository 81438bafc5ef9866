// One play of a dialog script: its stage, the connections it holds, and the names it has bound.
// The talk with the house is in play_talk.cc, what an administrator and the world do beside it in
// play_world.cc, the order of things in runner.cc.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "house_settings.h"
#include "player.h"
#include "runner.h"
#include "script.h"
#include "stage.h"

namespace godwit::dialog {

class Play {
public:
    Play(std::vector<Line> lines, const PlayOptions& options)
        : lines_(std::move(lines)),
          options_(options),
          stage_(std::make_unique<Stage>(options.folder)) {}

    PlayResult run();

private:
    /// What went wrong; nullopt: nothing.
    using Failure = std::optional<std::string>;
    using Directive = Failure (Play::*)(const Words& words, std::string_view rest);
    /// Whether a directive needs the house running, and starts it.
    enum class House : std::uint8_t { Either, Runs };
    struct DirectiveRow {
        std::string_view name;
        std::size_t words_min;  ///< With its name.
        House house;
        Directive perform;
    };
    static const DirectiveRow kDirectives[];

    Failure perform(const Line& line);
    Failure direct(const std::string& text);
    void ensure_started();
    bool check_alive();

    // play_talk.cc
    void hear();
    std::optional<std::string> next_line();
    Failure tell(std::string bytes);
    Failure expect(const std::string& text, bool may_skip);
    Failure expect_any_order();
    std::string fill_in(std::string_view text) const;
    void take_connection(const std::string& name, std::unique_ptr<Player> player);
    Failure connect(const Words& words, std::string_view rest);
    Failure peer(const Words& words, std::string_view rest);
    Failure accept(const Words& words, std::string_view rest);
    Failure nobody(const Words& words, std::string_view rest);
    Failure turn_to(const Words& words, std::string_view rest);
    Failure compress(const Words& words, std::string_view rest);
    Failure starttls(const Words& words, std::string_view rest);
    Failure answer_starttls(const Words& words, std::string_view rest);
    Failure close(const Words& words, std::string_view rest);
    Failure closed(const Words& words, std::string_view rest);
    Failure silent(const Words& words, std::string_view rest);
    Failure log_in(const Words& words, std::string_view rest);

    // play_world.cc
    Failure account(const Words& words, std::string_view rest);
    Failure alias(const Words& words, std::string_view rest);
    Failure change(const Words& words, std::string_view rest);
    Failure fill(const Words& words, std::string_view rest);
    Failure move_in(const Words& words, std::string_view rest);
    Failure damage(const Words& words, std::string_view rest);
    Failure disk(const Words& words, std::string_view rest);
    Failure pool(const Words& words, std::string_view rest);
    Failure admin(const Words& words, std::string_view rest);
    Failure oversee(const Words& words, std::string_view rest);
    Failure dns(const Words& words, std::string_view rest);
    Failure advance(const Words& words, std::string_view rest);
    Failure fsck(const Words& words, std::string_view rest);
    Failure index(const Words& words, std::string_view rest);
    Failure restart(const Words& words, std::string_view rest);
    Failure queue(const Words& words, std::string_view rest);
    Failure once(const Words& words, std::string_view rest);

    std::vector<Line> lines_;
    PlayOptions options_;
    std::unique_ptr<Stage> stage_;
    bool is_started_ = false;
    std::map<std::string, std::unique_ptr<Player>> players_;
    std::map<std::string, std::unique_ptr<net::Listener>> peers_;
    /// Replaced by a newer connection of their name.
    std::vector<std::unique_ptr<Player>> retired_;
    Player* current_ = nullptr;
    std::map<std::string, std::string> bound_;
    std::optional<std::vector<std::string>> any_order_;
};

}  // namespace godwit::dialog
