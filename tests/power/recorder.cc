#include "power/recorder.h"

#include <utility>

#include "store/fsck_walk.h"

namespace godwit::power {

using store::Batch;
using store::Kv;
using store::ReadTier;
using store::Snapshot;

class Recorder::Watched final : public Kv {
public:
    Watched(std::unique_ptr<Kv> kv, Recorder* recorder) : kv_(std::move(kv)), recorder_(recorder) {}

    [[nodiscard]] Result<> commit(const Batch& batch) override {
        recorder_->under_way_ = batch;
        auto done = kv_->commit(batch);
        if (!done) {
            recorder_->has_failed_ = true;
            recorder_->close("a commit had failed: " + done.error().text);
            return done;
        }
        if (!recorder_->closed_.empty()) {
            recorder_->fault_("a commit succeeded after " + recorder_->closed_);
        }
        apply(batch, recorder_->promised_);
        recorder_->under_way_.clear();
        ++recorder_->commits_;
        return done;
    }
    [[nodiscard]] std::unique_ptr<Snapshot> snapshot() const override { return kv_->snapshot(); }
    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key,
                                                         ReadTier tier) const override {
        return kv_->get(key, tier);
    }
    [[nodiscard]] std::string_view engine() const override { return kv_->engine(); }
    [[nodiscard]] std::uint64_t approximate_size() const override {
        return kv_->approximate_size();
    }

private:
    std::unique_ptr<Kv> kv_;
    Recorder* recorder_;
};

void Recorder::apply(const Batch& batch, Rows& rows) {
    for (const Batch::Entry& entry : batch.entries()) {
        if (entry.value) {
            rows[entry.key] = *entry.value;
        } else {
            rows.erase(entry.key);
        }
    }
}

std::unique_ptr<Kv> Recorder::watch(std::unique_ptr<Kv> kv) {
    closed_.clear();
    has_failed_ = false;
    return std::make_unique<Watched>(std::move(kv), this);
}

Recorder::Found Recorder::compare(const Kv& kv) {
    Rows found;
    const auto snapshot = kv.snapshot();
    const auto cursor = snapshot->cursor(ReadTier::Disk);
    for (cursor->seek(""); cursor->is_valid(); cursor->next()) {
        found.emplace(cursor->key(), cursor->value());
    }
    if (!cursor->status()) {
        return Found::Unknown;
    }
    if (!is_confirmed_) {
        promised_ = std::move(found);
        under_way_.clear();
        return Found::Promised;
    }
    if (found == promised_) {
        under_way_.clear();
        return Found::Promised;
    }
    Rows both = promised_;
    apply(under_way_, both);
    if (found == both) {
        promised_ = std::move(both);
        under_way_.clear();
        return Found::AndUnder;
    }
    std::string text = "rows are not those that were promised (" + std::to_string(found.size()) +
                       " found, " + std::to_string(promised_.size()) + " promised, " +
                       std::to_string(under_way_.entries().size()) + " under way):";
    std::size_t shown = 0;
    for (const auto& [key, value] : promised_) {
        const auto row = found.find(key);
        if ((row == found.end() || row->second != value) && ++shown <= 5) {
            text +=
                (row == found.end() ? " lost " : " other ") + store::key_text(key).substr(0, 30);
        }
    }
    for (const auto& [key, value] : found) {
        if (!promised_.contains(key) && ++shown <= 8) {
            text += " new " + store::key_text(key).substr(0, 30);
        }
    }
    fault_(std::move(text));
    return Found::Different;
}

}  // namespace godwit::power
