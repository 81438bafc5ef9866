// Accounts, aliases and what lies in mailboxes on the stage, put there beside the sessions.
#include <map>

#include "mail/message/parser.h"
#include "mail/message/summary.h"
#include "must.h"
#include "stage.h"
#include "store/directory/directory.h"
#include "store/folder.h"
#include "store/mailbox/mailbox.h"

namespace godwit::dialog {

namespace {

// What is drawn from another, and in which pieces.
class NotedRandom final : public Random {
public:
    explicit NotedRandom(Random* source) : source_(source) {}
    std::string bytes(std::size_t count) override {
        sizes.push_back(count);
        return source_->bytes(count);
    }
    std::vector<std::size_t> sizes;

private:
    Random* source_;
};

}  // namespace

// A stage is built for each step of each script that fails once; SCRAM keys cost many rounds. Those
// of one password are made once, and chance goes on as if they had been made anew.
store::Credentials Stage::credentials(const std::string& password) {
    struct Made {
        store::Credentials credentials;
        std::vector<std::size_t> draws;
    };
    static std::map<std::string, Made> made;
    const auto known = made.find(password);
    if (known != made.end()) {
        for (const std::size_t size : known->second.draws) {
            static_cast<void>(random_.bytes(size));
        }
        return known->second.credentials;
    }
    NotedRandom random(&random_);
    Made fresh{must(store::make_credentials(password, random, settings_.argon2), "credentials"),
               {}};
    fresh.draws = random.sizes;
    return made.emplace(password, std::move(fresh)).first->second.credentials;
}

void Stage::add_account(const std::string& name, const std::string& password, std::uint64_t quota) {
    store::Account account;
    account.name =
        name.find('@') == std::string::npos ? name + "@" + settings_.default_domain : name;
    account.quota.bytes = quota;
    account.created_at = unix_seconds(loop_.clock().wall());
    account.credentials = credentials(password);
    commit(must(store::plan_add_account(*store_->snapshot(), account), "account"));
}

store::Account Stage::account(const std::string& name) {
    auto found = must(store::find_account(*store_->snapshot(), store::ReadTier::Disk, name,
                                          settings_.default_domain),
                      "account");
    check(found.has_value(), "a dialog names an account that is there");
    return *std::move(found);
}

bool Stage::damage(char family, std::uint64_t number) {
    const auto view = store_->snapshot();
    const auto cursor = view->cursor(store::ReadTier::Disk);
    for (cursor->seek(std::string_view(&family, 1)); cursor->is_valid() && number > 1; --number) {
        cursor->next();
    }
    if (number == 0 || !cursor->is_valid() || cursor->key().front() != family) {
        return false;
    }
    store::Batch batch;
    batch.put(std::string(cursor->key()), "garbage");
    return store_->kv().commit(batch).has_value();
}

void Stage::change_password(const std::string& name, const std::string& password) {
    store::Account changed = account(name);
    changed.credentials =
        must(store::make_credentials(password, random_, settings_.argon2), "credentials");
    commit(must(store::plan_change_account(*store_->snapshot(), changed), "account"));
}

void Stage::forget_sha1_keys(const std::string& name) {
    store::Account changed = account(name);
    changed.credentials.scram_sha1 = {};
    commit(must(store::plan_change_account(*store_->snapshot(), changed), "account"));
}

void Stage::disable_account(const std::string& name) {
    store::Account changed = account(name);
    changed.is_disabled = true;
    commit(must(store::plan_change_account(*store_->snapshot(), changed), "account"));
}

void Stage::remove_account(const std::string& name) {
    commit(must(store::plan_remove_account(*store_->snapshot(), account(name).name), "account"));
}

void Stage::fill(const std::string& name, const std::string& mailbox, std::size_t count,
                 const std::string& unique_id) {
    const AccountId owner = account(name).id;
    const auto state = must(
        store::find_mailbox(*store_->snapshot(), store::ReadTier::Disk, owner, mailbox), "mailbox");
    check(state.has_value(), "a dialog fills a mailbox that is there");
    // A few hundred a commit: a group of plans has a bound of its own.
    for (std::size_t at = 0; at < count;) {
        store::Plan plan;
        for (std::size_t i = 0; i < 512 && at < count; ++i) {
            const std::string text = "Subject: number " + std::to_string(++at) + "\r\n\r\nx\r\n";
            store::NewBody body;
            body.id.hash = sha256(text);
            body.size = text.size();
            body.content = text;
            store::AppendMessage append;
            append.account = owner;
            append.mailbox = state->id;
            append.record.blob = body.id;
            append.record.blob_size = body.size;
            append.record.summary = mail::summarize(mail::parse_message(text)).encode();
            append.internal_date = 1'767'225'600;
            append.unique_id = unique_id;
            plan.steps.emplace_back(std::move(append));
            plan.bodies.push_back(std::move(body));
        }
        commit(std::move(plan));
    }
}

void Stage::add_alias(const std::string& address, const std::vector<std::string>& targets) {
    store::Alias alias;
    alias.address = address;
    alias.targets = targets;
    commit(must(store::plan_add_alias(*store_->snapshot(), alias), "alias"));
}

}  // namespace godwit::dialog
