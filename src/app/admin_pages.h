// What several commands need of the server's answers: a client for a command line, and lists whose
// pages are put together.
#pragma once

#include <string_view>

#include "app/admin_client.h"
#include "app/cli.h"
#include "base/json.h"

namespace godwit::app {

/// To the server that the command line means, or its store.
Result<AdminClient> open_client(const Invocation& call);
/// The array of this name in an answer; empty when there is none.
JsonValue::Array rows_of(const JsonValue& result, std::string_view name);
/// The rows of all pages of queue.summary, those of one site added up; most deliveries first.
Result<JsonValue::Array> summarize_queue(AdminClient& client);

}  // namespace godwit::app
