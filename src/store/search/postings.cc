#include "store/search/postings.h"

namespace godwit::store {

void PostingsWriter::put(std::uint64_t value) {
    while (value >= 0x80) {
        out_.push_back(static_cast<char>((value & 0x7F) | 0x80));
        value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
}

void PostingsWriter::end_run() {
    if (size_ == 0) {
        return;
    }
    put((first_ - behind_) * 2 + (size_ > 1 ? 1 : 0));
    if (size_ > 1) {
        put(size_ - 2);
    }
    behind_ = std::uint64_t{first_} + size_;
    size_ = 0;
}

std::string PostingsWriter::take() && {
    end_run();
    return std::move(out_);
}

Result<> read_postings(std::string_view postings, EmailRange range, EmailSet& emails) {
    return each_run(postings, range, [&](std::uint32_t first, std::uint32_t size) {
        emails.add_range(first, first + (size - 1));
    });
}

}  // namespace godwit::store
