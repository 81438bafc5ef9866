// godwit config check | effective | sample | reference, godwit version.
#include "app/commands.h"
#include "app/config.h"
#include "app/config_check.h"
#include "app/places.h"
#include "base/json.h"

namespace godwit::app {

int run_config_check(const Invocation& call) {
    Config config = find_config(call);
    if (config.problems.empty()) {
        check_config(config);
    }
    if (call.has("--json")) {
        JsonWriter json;
        json.begin_object().field("file", config.file).field("valid", config.problems.empty());
        json.key("problems").begin_array();
        for (const ConfigProblem& problem : config.problems) {
            json.begin_object()
                .field("line", problem.line)
                .field("text", problem.text)
                .end_object();
        }
        json.end_array().end_object();
        call.console().out(std::move(json).take() + "\n");
    } else if (config.problems.empty()) {
        call.console().out(config.file + ": good\n");
    } else {
        call.console().err(show_problems(config));
    }
    return config.problems.empty() ? kExitDone : kExitRefused;
}

int run_config_effective(const Invocation& call) {
    const Config config = find_config(call);
    if (!config.problems.empty()) {
        call.console().err(show_problems(config));
        return kExitRefused;
    }
    call.console().out(call.has("--json") ? show_effective_json(config) + "\n"
                                          : show_effective(config));
    return kExitDone;
}

int run_config_sample(const Invocation& call) {
    call.console().out(sample_config());
    return kExitDone;
}

int run_config_reference(const Invocation& call) {
    call.console().out(config_reference());
    return kExitDone;
}

int run_version(const Invocation& call) {
    call.console().out("godwit " GODWIT_VERSION "\n");
    return kExitDone;
}

}  // namespace godwit::app
