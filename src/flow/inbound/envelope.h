// What the envelope of a message needs beside what SMTP said, before it can be placed: the
// reverse-paths it leaves with, a sender whose domain has moved, and the archives that get a copy.
// RFC 5321 3.9; SMTP-BEHAVIOUR.md G2, G10.
#pragma once

#include "flow/inbound/arrival.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// Archives of one message: one for each domain that a stranger's hundred recipients can be of.
inline constexpr std::size_t archives_max = 100;

/// Completes `arrival`. What was in its recipients stays in front; archives come behind, each once
/// and only if the message has not been there (Delivered-To). An error means: try again later.
net::Task<Result<>> complete_envelope(const Services* services, Arrival* arrival);

}  // namespace godwit::flow
