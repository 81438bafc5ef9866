// A message on its way in or out: in memory while it is small, else in a file without a name.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::app {

inline constexpr std::size_t spool_memory_max = 256 * 1024;

class Spool {
public:
    Result<> append(std::string_view octets);
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// From the front: the next piece; none at the end, after which it begins again.
    Result<std::string> next();

private:
    struct Close {
        void operator()(std::FILE* file) const { (void)std::fclose(file); }
    };
    std::string memory_;
    std::unique_ptr<std::FILE, Close> file_;
    std::uint64_t size_ = 0;
    std::uint64_t at_ = 0;
};

}  // namespace godwit::app
