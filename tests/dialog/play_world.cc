// What an administrator, DNS, the disk and the clock do in a play, beside the sessions.
#include <algorithm>

#include "base/ascii.h"
#include "play.h"
#include "store/fsck.h"
#include "store/search/index_run.h"

namespace godwit::dialog {

// @operator VERB [JSON] [shows TEXT]: an order to the queue, and what its answer holds.
std::optional<std::string> Play::oversee(const Words& words, std::string_view) {
    std::string arguments;
    std::string shows;
    for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i] == "shows") {
            for (++i; i < words.size(); ++i) {
                shows.append(shows.empty() ? "" : " ").append(words[i]);
            }
        } else {
            arguments.append(arguments.empty() ? "" : " ").append(words[i]);
        }
    }
    shows = fill_in(shows);
    const std::string answer = stage_->order(std::string(words[1]), fill_in(arguments));
    if (shows.empty() ? !answer.starts_with(R"({"ok":true)")
                      : answer.find(shows) == std::string::npos) {
        return "the order's answer is " + answer;
    }
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::account(const Words& words, std::string_view) {
    stage_->add_account(std::string(words[1]), std::string(words[2]),
                        words.size() > 3 ? parse_u64(words[3]).value_or(0) : 0);
    return std::nullopt;
}

std::optional<std::string> Play::alias(const Words& words, std::string_view) {
    stage_->add_alias(std::string(words[1]), {words.begin() + 2, words.end()});
    return std::nullopt;
}

std::optional<std::string> Play::change(const Words& words, std::string_view) {
    const std::string name(words[1]);
    if (words[0] == "passwd" && words.size() == 3) {
        stage_->change_password(name, std::string(words[2]));
    } else if (words[0] == "disable") {
        stage_->disable_account(name);
    } else if (words[0] == "remove") {
        stage_->remove_account(name);
    } else {
        return "@passwd NAME PASSWORD, @disable NAME, @remove NAME";
    }
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::fill(const Words& words, std::string_view) {
    stage_->fill(std::string(words[1]), std::string(words[2]), parse_u64(words[3]).value_or(0));
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::move_in(const Words& words, std::string_view) {
    stage_->fill(std::string(words[1]), std::string(words[2]), 1, std::string(words[3]));
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::index(const Words&, std::string_view) {
    store::IndexRun run(&stage_->store(), AccountId(1));
    for (;;) {
        auto step = run.step(WallTime());
        if (!step) {
            return step.error().text;
        }
        if (step->is_done) {
            break;
        }
        if (step->plan) {
            stage_->commit(*std::move(step->plan));
        }
    }
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::fsck(const Words&, std::string_view) {
    const auto findings = store::fsck(stage_->store(), {});
    if (!findings) {
        return findings.error().text;
    }
    for (const store::FsckFinding& one : *findings) {
        if (one.violations != 0) {
            return one.invariant + ": " + std::to_string(one.violations) + ", as in " +
                   (one.examples.empty() ? "" : one.examples.front());
        }
    }
    return std::nullopt;
}

std::optional<std::string> Play::damage(const Words& words, std::string_view) {
    if (words[1].size() != 1 ||
        !stage_->damage(words[1].front(), parse_u64(words[2]).value_or(0))) {
        return "there is no such row to damage";
    }
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::disk(const Words& words, std::string_view) {
    const std::string_view state = words[1];
    if (state != "full" && state != "low" && state != "free") {
        return "@disk full, low or free";
    }
    // Past both watermarks; between them; far from them. The store looks once a second.
    stage_->set_free_space(state == "full" ? 0 : std::uint64_t{1} << (state == "low" ? 27U : 40U));
    stage_->advance(std::chrono::seconds(1));
    hear();
    return std::nullopt;
}

// "@pool 5": each job of the offload pool takes five seconds from now on.
std::optional<std::string> Play::pool(const Words& words, std::string_view) {
    stage_->slow_pool(std::chrono::seconds(parse_u64(words[1]).value_or(0)));
    return std::nullopt;
}

std::optional<std::string> Play::admin(const Words& words, std::string_view rest) {
    const std::string call(words[1]);
    const std::string arguments(trim(rest.substr(call.size())));
    const std::string answer = stage_->administer(call, arguments.empty() ? "{}" : arguments);
    return answer.starts_with(R"({"ok":true)") ? std::nullopt : std::optional(answer);
}

std::optional<std::string> Play::dns(const Words&, std::string_view rest) {
    std::string line(rest);
    if (const std::size_t at = line.find("{certificate}"); at != std::string::npos) {
        line.replace(at, std::string_view("{certificate}").size(),
                     Stage::peer_certificate_digest());
    }
    const Result<> added = stage_->resolver().add(line);
    return added ? std::nullopt : std::optional(added.error().text);
}

std::optional<std::string> Play::advance(const Words& words, std::string_view) {
    const std::optional<Duration> span = parse_span(words[1]);
    if (!span) {
        return "@advance takes 90s, 30m, 4h or 5d";
    }
    stage_->advance(*span);
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::restart(const Words&, std::string_view) {
    current_ = nullptr;
    stage_->stop();
    players_.clear();
    stage_->start();
    return std::nullopt;
}

std::optional<std::string> Play::queue(const Words& words, std::string_view rest) {
    const std::vector<std::string> lines = stage_->queue_lines();
    std::string all;
    for (const std::string& line : lines) {
        all += "\n    " + line;
    }
    if (words.size() == 2) {
        return lines.size() == parse_u64(words[1])
                   ? std::nullopt
                   : std::optional("the queue has " + std::to_string(lines.size()) +
                                   " deliveries:" + all);
    }
    const std::string wanted = fill_in(trim(rest.substr(words[1].size())));
    const bool is_there = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return line.find(wanted) != std::string::npos;
    });
    return is_there ? std::nullopt
                    : std::optional("no line of the queue has \"" + wanted + "\":" + all);
}

// Said to dialog_test.cc.
std::optional<std::string> Play::once(const Words&, std::string_view) {
    return std::nullopt;
}

}  // namespace godwit::dialog
