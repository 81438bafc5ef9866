// [[oauth]]: what may be wrong with its rows, and the key files they name.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "flow/settings.h"

namespace godwit::app {

struct OauthProblem {
    std::size_t row = 0;
    std::string key;
    std::string text;
};
/// Reads the key files too.
std::vector<OauthProblem> oauth_problems(const flow::Settings& settings);

/// Fills `keys` of the rows that have a keys_file. Blocking.
Result<> read_token_keys(flow::Settings& settings);

}  // namespace godwit::app
