// What the store keeps of a message beside its body: made in one place for delivery and APPEND.
#pragma once

#include <cstdint>
#include <string_view>

#include "mail/message/parser.h"
#include "store/blob/blob.h"
#include "store/commit/plan.h"

namespace godwit::flow {

/// The record of a parsed message whose octets are `body`: its summary, when it says it was sent,
/// and what it is threaded by. The prefix is left to the caller. Linear in the header.
store::MessageRecord make_record(const mail::ParsedMessage& message, const store::NewBody& body);

/// 64 bits of a Message-ID's hash, for threading.
std::uint64_t reference_hash(std::string_view message_id);

}  // namespace godwit::flow
