// Structured log: one event a line, one JSON object a line, stable keys. Goes to standard error
// unless a sink is set. Never bodies, never secrets. Callable from any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/ids.h"

namespace godwit::log {

enum class Level : std::uint8_t {
    Debug,
    Info,   ///< What happened.
    Warn,   ///< Look.
    Error,  ///< Act.
};

/// One key=value of a line. Keys are literals; values are copied into the line at once.
struct Field {
    std::string_view key;
    std::variant<std::string, std::int64_t, std::uint64_t, bool> value;
    Field(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
    Field(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
    Field(std::string_view k, const std::string& v) : key(k), value(v) {}
    Field(std::string_view k, std::int64_t v) : key(k), value(v) {}
    Field(std::string_view k, std::uint64_t v) : key(k), value(v) {}
    Field(std::string_view k, int v) : key(k), value(static_cast<std::int64_t>(v)) {}
    Field(std::string_view k, std::uint32_t v) : key(k), value(static_cast<std::uint64_t>(v)) {}
    Field(std::string_view k, bool v) : key(k), value(v) {}
    Field(std::string_view k, MailId v) : key(k), value(to_string(v)) {}
};
using Fields = std::initializer_list<Field>;

/// Lines below `level` are dropped. Default Info.
void set_level(Level level);
[[nodiscard]] bool is_on(Level level);

/// Takes each finished line (with its newline). Null puts standard error back. The sink must
/// outlive its use and be callable from any thread; calls are serialised.
using Sink = void (*)(void* context, std::string_view line);
void set_sink(Sink sink, void* context);

/// What lines are dated by. None yet: lines have no time. The clock outlives its use; set it before
/// threads start.
void set_clock(Clock* clock);

/// `event` is a stable dotted name: "smtp.accepted".
void write(Level level, std::string_view event, Fields fields);
inline void debug(std::string_view event, Fields fields) {
    if (is_on(Level::Debug)) {
        write(Level::Debug, event, fields);
    }
}
inline void info(std::string_view event, Fields fields) {
    write(Level::Info, event, fields);
}
inline void warn(std::string_view event, Fields fields) {
    write(Level::Warn, event, fields);
}
inline void error(std::string_view event, Fields fields) {
    write(Level::Error, event, fields);
}

}  // namespace godwit::log
