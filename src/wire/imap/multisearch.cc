#include "wire/imap/multisearch.h"

#include <algorithm>
#include <array>
#include <utility>

namespace godwit::imap {

namespace {

constexpr std::array<std::pair<std::string_view, SearchSource>, 7> kSources = {{
    {"SELECTED", SearchSource::Selected},
    {"INBOXES", SearchSource::Inboxes},
    {"PERSONAL", SearchSource::Personal},
    {"SUBSCRIBED", SearchSource::Subscribed},
    {"SUBTREE", SearchSource::Subtree},
    {"SUBTREE-ONE", SearchSource::SubtreeOne},
    {"MAILBOXES", SearchSource::Mailboxes},
}};

bool has_names(SearchSource source) {
    return source == SearchSource::Subtree || source == SearchSource::SubtreeOne ||
           source == SearchSource::Mailboxes;
}

class SourceReader {
public:
    SourceReader(Lexer& lexer, NameSpelling spelling) : lexer_(lexer), spelling_(spelling) {}

    // From the "(" behind IN to its ")". No scope options are defined.
    Result<std::vector<SearchSourceGroup>> run() {
        std::vector<SearchSourceGroup> groups;
        TRY(lexer_.expect('('));
        do {
            if (groups.size() == multisearch_groups_max) {
                return peer_error(ErrorCode::LimitExceeded, "Too many groups of mailboxes");
            }
            groups.push_back(TRY(group()));
        } while (lexer_.take(' '));
        TRY(lexer_.expect(')'));
        return groups;
    }

private:
    Result<SearchSourceGroup> group() {
        SearchSourceGroup group;
        const auto* row = std::ranges::find_if(
            kSources, [&](const auto& each) { return lexer_.take_word(each.first); });
        if (row == kSources.end()) {
            return lexer_.bad("which mailboxes");
        }
        group.source = row->second;
        if (!has_names(group.source)) {
            return group;
        }
        TRY(lexer_.space());
        const bool are_several = lexer_.take('(');
        do {
            if (++names_ > multisearch_names_max) {
                return peer_error(ErrorCode::LimitExceeded, "Too many mailbox names");
            }
            group.names.push_back(TRY(read_mailbox_name(lexer_, spelling_)).name);
        } while (are_several && lexer_.take(' '));
        TRY(are_several ? lexer_.expect(')') : Result<>());
        return group;
    }

    Lexer& lexer_;
    NameSpelling spelling_;
    std::size_t names_ = 0;
};

}  // namespace

bool MultisearchArguments::has_selected() const {
    return std::ranges::any_of(sources, [](const SearchSourceGroup& group) {
        return group.source == SearchSource::Selected;
    });
}

bool MultisearchArguments::is_selected_alone() const {
    return std::ranges::all_of(sources, [](const SearchSourceGroup& group) {
        return group.source == SearchSource::Selected;
    });
}

Result<MultisearchArguments> parse_multisearch(Lexer& lexer, NameSpelling spelling) {
    MultisearchArguments out;
    const std::size_t start = lexer.offset();
    TRY(lexer.space());
    if (lexer.take_word("IN")) {
        TRY(lexer.space());
        out.sources = TRY(SourceReader(lexer, spelling).run());
    } else {
        lexer.rewind(start);
        out.sources.push_back({.source = SearchSource::Selected});
    }
    out.program = TRY(parse_search(lexer));
    SearchReturns& returns = out.program.returns;
    // RFC 7377 2.1.
    if (!returns.is_given) {
        returns.is_given = returns.all = true;
    }
    // RFC 7377 2.2.
    if (returns.save && !out.is_selected_alone()) {
        return peer_error(ErrorCode::Invalid, "SAVE is for the selected mailbox alone");
    }
    return out;
}

}  // namespace godwit::imap
