#include "store/repair/repair.h"

#include "base/bytes.h"
#include "base/probe.h"
#include "store/directory/directory.h"
#include "store/repair/work.h"

namespace godwit::store {

std::string to_string(const Loss& loss) {
    std::string text = loss.what;
    if (loss.account.value() != 0) {
        text += " account=" +
                (loss.address.empty() ? std::to_string(loss.account.value()) : loss.address);
    }
    if (!loss.mailbox.empty()) {
        text += " mailbox=" + loss.mailbox;
    }
    if (loss.uid.value() != 0) {
        text += " uid=" + std::to_string(loss.uid.value());
    }
    if (!loss.message.empty()) {
        text += " message=" + loss.message;
    }
    return loss.detail.empty() ? text : text + ": " + loss.detail;
}

Result<std::optional<std::string>> RepairWork::get(const std::string& key) {
    if (const auto pending = pending_.find(key); pending != pending_.end()) {
        return pending->second;
    }
    return kv_->get(key, ReadTier::Disk);
}

Result<> RepairWork::put(std::string key, std::string value, std::string_view what) {
    if (TRY(get(key)) == value) {
        return {};
    }
    ++report_->repaired[std::string(what)];
    pending_[std::move(key)] = std::move(value);
    return make_room();
}

Result<> RepairWork::erase(std::string key, std::string_view what) {
    if (!TRY(has(key))) {
        return {};
    }
    ++report_->repaired[std::string(what)];
    pending_[std::move(key)] = std::nullopt;
    return make_room();
}

Result<> RepairWork::make_room() {
    return pending_.size() >= repair_batch_rows_max ? flush() : Result<>();
}

Result<> RepairWork::flush() {
    if (pending_.empty()) {
        return {};
    }
    Batch batch;
    for (auto& [key, value] : pending_) {
        value ? batch.put(key, *std::move(value)) : batch.erase(key);
    }
    pending_.clear();
    crash_point<"repair.before_batch">();
    TRY(kv_->commit(batch));
    crash_point<"repair.after_batch">();
    return {};
}

void RepairWork::lose(Loss loss) {
    ++report_->losses;
    if (report_->lost.size() < repair_losses_max) {
        report_->lost.push_back(std::move(loss));
    }
}

void RepairWork::leave_orphan(const BlobId& blob) {
    ++report_->orphans_found;
    if (report_->orphans.size() < repair_losses_max) {
        report_->orphans.push_back(blob);
    }
}

Result<std::vector<BlobId>> RepairState::linked_to(AccountId account, std::uint64_t number) {
    if (!links) {
        links.emplace();
        const char first = family::link;
        TRY(work.each(std::string_view(&first, 1),
                      [this](std::string_view key, std::string_view) -> Result<> {
                          if (const auto link = parse_link_key(key)) {
                              (*links)[{link->account.value(),
                                        link->queued ? link->queued->value() : link->email.value()}]
                                  .push_back(link->blob);
                          }
                          return {};
                      }));
    }
    const auto found = links->find({account.value(), number});
    return found == links->end() ? std::vector<BlobId>() : found->second;
}

Result<std::vector<AccountId>> accounts_with_rows(RepairWork& work) {
    std::set<std::uint32_t> accounts;
    TRY(work.flush());
    const auto snapshot = work.kv().snapshot();
    for (const char family : std::string_view("ABEHIKLMNTUY")) {
        const std::string first(1, family);
        const std::string upper = prefix_end(first);
        const auto cursor = snapshot->cursor(ReadTier::Disk, upper);
        for (cursor->seek(first); cursor->is_valid();) {
            ByteReader in(cursor->key().substr(1));
            const std::uint32_t account = in.u32();
            if (!in.ok()) {
                cursor->next();
                continue;
            }
            accounts.insert(account);
            if (account == UINT32_MAX) {
                break;
            }
            cursor->seek(make_key(family, AccountId(account + 1)));
        }
        TRY(cursor->status());
    }
    std::vector<AccountId> found;
    for (const std::uint32_t account : accounts) {
        found.emplace_back(account);
    }
    return found;
}

namespace {

// At the end, when the rows of accounts are as right as they will be.
void name_accounts(Kv& kv, std::vector<Loss>& losses) {
    const auto snapshot = kv.snapshot();
    std::map<AccountId, std::string> names;
    for (Loss& loss : losses) {
        const auto [name, is_new] = names.try_emplace(loss.account);
        if (is_new && loss.account.value() != 0) {
            const auto account = read_account(*snapshot, ReadTier::Disk, loss.account);
            name->second = account && *account ? (*account)->name : "";
        }
        loss.address = name->second;
    }
}

}  // namespace

Result<RepairReport> repair(Kv& kv, const RepairOptions& options) {
    RepairReport report;
    RepairState state{.work = RepairWork(&kv, &options, &report),
                      .bodies = BodyReader(options.files, options.blobs_folder),
                      .are_keys_missing = options.are_keys_missing};
    for (const auto part :
         {repair_simple_rows, repair_store_rows, repair_directory, repair_links, repair_bodies,
          repair_accounts, repair_domain_use, repair_queue, repair_ends}) {
        TRY(part(state));
        TRY(state.work.flush());
    }
    report.are_keys_missing = state.are_keys_missing;
    name_accounts(kv, report.lost);
    return report;
}

}  // namespace godwit::store
