// Notices that what a session logged in with holds no longer: a new password, a disabled or removed
// account. SECURITY.md T46. For sessions that follow nothing else of the account (SMTP, POP3).
#pragma once

#include <memory>

#include "flow/services.h"
#include "net/io/stream.h"
#include "net/io/task.h"
#include "serve/login/login.h"
#include "store/mailbox/change.h"

namespace godwit::serve {

/// Own shard. Services and stream outlive it.
class CredentialWatch {
public:
    CredentialWatch(flow::Services* services, net::Stream* stream)
        : services_(services), stream_(stream) {}
    ~CredentialWatch() { end(); }
    CredentialWatch(const CredentialWatch&) = delete;
    CredentialWatch& operator=(const CredentialWatch&) = delete;

    /// From here on the stream is interrupted when the account's credentials change.
    void begin(const LoggedIn& who);
    void end();
    /// True when the session must end. Costs a read only after a change (and once after begin(): it
    /// may have come between the proof and the watch).
    net::Task<bool> is_stale();

private:
    struct News {
        net::Stream* stream = nullptr;
        bool has_come = true;
    };
    flow::Services* services_;
    net::Stream* stream_;
    LoggedIn who_;
    // Shared with calls of the bus that are on their way to the shard.
    std::shared_ptr<News> news_;
    store::ChangeBus::Token token_ = 0;
};

}  // namespace godwit::serve
