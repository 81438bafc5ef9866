// Any message, made fit for a hop without 8BITMIME and for one without BINARYMIME: never a fault,
// and the same however it is split.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "mail/message/reencode.h"
#include "mail/text/transfer_encoding.h"

using namespace godwit;
using namespace godwit::mail;

namespace {

ReencodePlan plan_of(const std::string& message, const ParsedMessage& parsed,
                     const WireForm& form) {
    ReencodeSurvey survey(&parsed);
    const std::size_t half = message.size() / 2;
    survey.feed(std::string_view(message).substr(0, half));
    survey.feed(std::string_view(message).substr(half));
    return survey.finish(form);
}

void run(const std::string& message, const WireForm& form) {
    const ParsedMessage before = parse_message(message);
    const ReencodePlan plan = plan_of(message, before, form);
    if (plan.verdict != ReencodePlan::Verdict::Changes) {
        return;
    }
    Reencoder encoder(&plan);
    std::string out;
    const std::size_t third = message.size() / 3;
    encoder.feed(std::string_view(message).substr(0, third), out);
    encoder.feed(std::string_view(message).substr(third), out);
    encoder.finish(out);
    Reencoder again(&plan);
    std::string whole;
    again.feed(message, whole);
    again.finish(whole);
    check(out == whole, "the split must not show");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string message(reinterpret_cast<const char*>(data), size);
    run(message, {});
    run(message, {.eight_bit = true, .long_lines = true});
    return 0;
}
