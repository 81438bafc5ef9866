#include "flow/outbound/lacking.h"

#include <utility>

namespace godwit::flow {

bool is_lacking(const smtp::Outcome& outcome) {
    // C10: that a host is ourselves is nothing that it lacks.
    return outcome.is_local && outcome.kind == smtp::OutcomeKind::Permanent &&
           outcome.scope == smtp::FaultScope::Host &&
           outcome.reply.enhanced != smtp::EnhancedStatus{5, 4, 6};
}

smtp::Outcome for_now(smtp::Outcome outcome) {
    smtp::EnhancedStatus status = outcome.reply.enhanced.value_or(smtp::EnhancedStatus{5, 0, 0});
    status.status_class = 4;
    outcome.kind = smtp::OutcomeKind::Temporary;
    outcome.reply = smtp::make_reply(451, status, std::move(outcome.reply.text));
    return outcome;
}

void keep_hope(std::vector<AttemptResult>* results) {
    for (AttemptResult& result : *results) {
        if (is_lacking(result.outcome)) {
            result.outcome = for_now(std::move(result.outcome));
        } else if (result.outcome.reply.code == 521 &&
                   result.outcome.scope == smtp::FaultScope::Host) {
            result.outcome.kind = smtp::OutcomeKind::Temporary;
        }
    }
}

bool goes_on_elsewhere(const smtp::Outcome& outcome) {
    const bool is_not_begun = outcome.is_local && outcome.kind == smtp::OutcomeKind::Temporary &&
                              outcome.scope == smtp::FaultScope::Host;
    return is_not_begun || outcome.is_for_number;
}

}  // namespace godwit::flow
