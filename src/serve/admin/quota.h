// Limits as administrators write them.
#pragma once

#include <string_view>

#include "serve/admin/api.h"
#include "store/directory/quota.h"

namespace godwit::serve {

/// "quota" (a size such as "2 GiB"), "quota_messages" and "quota_mailboxes" of the arguments, with
/// `prefix` before their names; `before` of those that are absent. Invalid names the argument.
Result<store::Quota> read_quota(const AdminArguments& arguments, std::string_view prefix,
                                store::Quota before);

}  // namespace godwit::serve
