#include "serve/login/credential_watch.h"

#include "flow/read.h"
#include "net/io/shard.h"
#include "store/directory/directory.h"
#include "store/store.h"

namespace godwit::serve {

void CredentialWatch::begin(const LoggedIn& who) {
    end();
    who_ = who;
    // As if news had come: a change between the proof and this subscription is seen by the first
    // look.
    news_ = std::make_shared<News>(News{.stream = stream_, .has_come = true});
    net::Shard* shard = &net::Shard::here();
    token_ = services_->store->changes().subscribe(
        who.account, [shard, weak = std::weak_ptr<News>(news_)](
                         const std::shared_ptr<const store::AccountChange>& change) {
            if (!change->credentials_changed) {
                return;
            }
            shard->post([weak] {
                if (const std::shared_ptr<News> news = weak.lock()) {
                    news->has_come = true;
                    news->stream->interrupt();
                }
            });
        });
}

void CredentialWatch::end() {
    if (news_ != nullptr) {
        services_->store->changes().unsubscribe(token_);
        news_.reset();
    }
}

net::Task<bool> CredentialWatch::is_stale() {
    if (news_ == nullptr || !news_->has_come) {
        co_return false;
    }
    news_->has_come = false;
    co_return !co_await is_still_valid(services_, who_);
}

}  // namespace godwit::serve
