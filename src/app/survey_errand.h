// A survey (flow/outbound/survey.h) for a thread that waits for it.
#pragma once

#include <atomic>
#include <chrono>

#include "flow/outbound/survey.h"

namespace godwit::app {

/// Longer than a host that is spoken to needs; one that is silent may take longer, and the answer
/// is then that nobody knows.
inline constexpr std::chrono::seconds survey_patience(90);

/// Any thread but a shard's. One at a time, since each holds a thread of the pool that the survey
/// itself may need: others are told to come again.
class SurveyErrand {
public:
    /// Outlived by `services`.
    explicit SurveyErrand(const flow::Services* services) : services_(services) {}
    Result<flow::Survey> run(flow::SurveyQuestion question);

private:
    const flow::Services* services_;
    std::atomic_flag is_busy_;
};

}  // namespace godwit::app
