// What we refuse a host ourselves, as it lacks what the message needs: whether that is final. Pure.
// SMTP-BEHAVIOUR.md D8, D10, B7; RFC 8689 4.2.1; RFC 2852; RFC 7293.
#pragma once

#include <vector>

#include "flow/outbound/settle.h"
#include "wire/smtp/client.h"

namespace godwit::flow {

/// The host will never do for the message; another one of its domain may.
bool is_lacking(const smtp::Outcome& outcome);

/// The same, but tried again.
smtp::Outcome for_now(smtp::Outcome outcome);

/// D8, RFC 7504: of the results of all hosts that were tried, while another host may yet be
/// reached. Then nothing is final that one of them says of itself.
void keep_hope(std::vector<AttemptResult>* results);

/// B7: the transaction was not begun, or was cut short for number, since the peer takes no more on
/// this connection. Of a session that is used up.
bool goes_on_elsewhere(const smtp::Outcome& outcome);

}  // namespace godwit::flow
