// Deliveries that an operator has given up, with a report to their senders. The order is a row
// (family G, "order") in the commit that holds the delivery; here it is carried out: at once when
// the server runs, else when it does, and after the attempt that is under way, so that nobody is
// told of a failure while the message is being taken. Another order (release, delete) takes it
// back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "flow/services.h"
#include "net/io/task.h"
#include "store/kv/kv.h"

namespace godwit::flow {

enum class OrderKind : std::uint8_t {
    Expire = 1,  ///< As if its time were over: 5.4.7.
    Return = 2,  ///< Deleted, and its sender told: 5.7.1.
};

/// held_reason of a delivery that an order stands for.
inline constexpr std::string_view held_for_expiry = "given up by operator, its report follows";

std::string order_prefix();
std::string order_key(MailId mail, std::uint32_t number);
std::string encode_order(OrderKind kind);
Result<OrderKind> decode_order(std::string_view value);
/// True when there is any.
Result<bool> has_orders(const store::Snapshot& snapshot, store::ReadTier tier);

/// Carries out all orders, but for deliveries under way: those stay for the next call. Errors: the
/// rows cannot be read; what the store refused stays too. One call at a time.
net::Task<Result<>> carry_out_orders(const Services* services);

}  // namespace godwit::flow
