// What the stage is built from has no errors, or the test ends here.
#pragma once

#include <cstdio>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace godwit::dialog {

template <class T>
T must(Result<T> result, const char* what) {
    if (!result) {
        std::fprintf(stderr, "stage: %s: %s\n", what, result.error().text.c_str());
    }
    check(result.has_value(), "the stage is built without errors");
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

}  // namespace godwit::dialog
