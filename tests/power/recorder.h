// Stands between the store and the engine of its keys and remembers what was promised: after a
// crash the rows must be those of all commits that returned, or of these and the one under way,
// whole.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/kv/kv.h"

namespace godwit::power {

/// Outlives the engines it looks at, one after the other. One thread.
class Recorder {
public:
    using Rows = std::map<std::string, std::string, std::less<>>;

    /// What is found at fault is told here, once each.
    explicit Recorder(std::function<void(std::string)> fault) : fault_(std::move(fault)) {}

    enum class Found : std::uint8_t {
        Promised,   ///< Neither more nor less.
        AndUnder,   ///< And the commit that was under way.
        Different,  ///< Told as a fault.
        Unknown,    ///< It could not be read.
    };
    /// What an engine that was just opened holds. Then nothing is under way.
    Found compare(const store::Kv& kv);
    /// An engine whose commits are noted here.
    std::unique_ptr<store::Kv> watch(std::unique_ptr<store::Kv> kv);

    /// What was committed so far counts from now on: before a store was open for the first time it
    /// has promised nothing.
    void confirm() { is_confirmed_ = true; }
    /// From now on no commit may succeed.
    void close(std::string why) { closed_ = std::move(why); }
    [[nodiscard]] std::uint64_t commits() const { return commits_; }
    [[nodiscard]] bool has_failed() const { return has_failed_; }
    [[nodiscard]] const Rows& promised() const { return promised_; }

private:
    class Watched;
    static void apply(const store::Batch& batch, Rows& rows);

    std::function<void(std::string)> fault_;
    Rows promised_;
    store::Batch under_way_;
    std::uint64_t commits_ = 0;
    bool has_failed_ = false;
    bool is_confirmed_ = false;
    std::string closed_;
};

}  // namespace godwit::power
