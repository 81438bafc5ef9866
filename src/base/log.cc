#include "base/log.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <mutex>

#include "base/clock.h"
#include "base/json.h"

namespace godwit::log {

namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

std::atomic<Level> minimum{Level::Info};
std::mutex sink_mutex;
Sink sink_function = nullptr;
void* sink_context = nullptr;
std::atomic<Clock*> line_clock = nullptr;

std::string timestamp(WallTime now) {
    const std::int64_t micros = now.time_since_epoch().count();
    const std::time_t seconds = static_cast<std::time_t>(unix_seconds(now));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 80> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                  parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                  parts.tm_min, parts.tm_sec, static_cast<int>(micros / 1000 % 1000));
    return text.data();
}

}  // namespace

void set_level(Level level) {
    minimum.store(level, std::memory_order_relaxed);
}
bool is_on(Level level) {
    return level >= minimum.load(std::memory_order_relaxed);
}

void set_sink(Sink sink, void* context) {
    const std::lock_guard lock(sink_mutex);
    sink_function = sink;
    sink_context = context;
}

void set_clock(Clock* clock) {
    line_clock.store(clock, std::memory_order_relaxed);
}

void write(Level level, std::string_view event, Fields fields) {
    if (!is_on(level)) {
        return;
    }
    JsonWriter line;
    line.begin_object();
    if (const Clock* clock = line_clock.load(std::memory_order_relaxed); clock != nullptr) {
        line.field("time", timestamp(clock->wall()));
    }
    line.field("level", kLevelNames.at(static_cast<std::size_t>(level)));
    line.field("event", event);
    for (const Field& field : fields) {
        line.key(field.key);
        if (const auto* text = std::get_if<std::string>(&field.value)) {
            line.string(*text);
        } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
            line.number(*number);
        } else if (const auto* count = std::get_if<std::uint64_t>(&field.value)) {
            line.number(*count);
        } else {
            line.boolean(std::get<bool>(field.value));
        }
    }
    line.end_object();
    std::string text = std::move(line).take();
    text += '\n';
    const std::lock_guard lock(sink_mutex);
    if (sink_function != nullptr) {
        sink_function(sink_context, text);
    } else if (::write(STDERR_FILENO, text.data(), text.size()) < 0) {
        // Nowhere left to say it.
        return;
    }
}

}  // namespace godwit::log
