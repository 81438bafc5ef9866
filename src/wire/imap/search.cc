#include "wire/imap/search.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "wire/imap/date_time.h"

namespace godwit::imap {

namespace {

enum class Argument : std::uint8_t {
    None,
    Date,
    Number,
    Seconds,
    Uid,
    ModSeq,
    Text,
    Keyword,
    HeaderAndText,
    ObjectId,
    Set
};

/// One key of RFC 3501 6.4.4; `name` is the header of those that search one.
struct KeyRow {
    std::string_view word;
    SearchOp op;
    Argument argument = Argument::None;
    SystemFlag flag = SystemFlag::Seen;
    bool wanted = true;
    std::string_view name = {};
};
constexpr KeyRow kKeys[] = {
    {"ALL", SearchOp::All},
    {"ANSWERED", SearchOp::Flag, Argument::None, SystemFlag::Answered},
    {"BCC", SearchOp::Header, Argument::Text, SystemFlag::Seen, true, "Bcc"},
    {"BEFORE", SearchOp::Before, Argument::Date},
    {"BODY", SearchOp::Body, Argument::Text},
    {"CC", SearchOp::Header, Argument::Text, SystemFlag::Seen, true, "Cc"},
    {"DELETED", SearchOp::Flag, Argument::None, SystemFlag::Deleted},
    {"DRAFT", SearchOp::Flag, Argument::None, SystemFlag::Draft},
    {"EMAILID", SearchOp::EmailId, Argument::ObjectId},
    {"FLAGGED", SearchOp::Flag, Argument::None, SystemFlag::Flagged},
    {"FROM", SearchOp::Header, Argument::Text, SystemFlag::Seen, true, "From"},
    {"HEADER", SearchOp::Header, Argument::HeaderAndText},
    {"KEYWORD", SearchOp::Keyword, Argument::Keyword},
    {"LARGER", SearchOp::Larger, Argument::Number},
    {"MODSEQ", SearchOp::ModSeq, Argument::ModSeq},
    {"OLD", SearchOp::Recent, Argument::None, SystemFlag::Seen, false},
    {"OLDER", SearchOp::Older, Argument::Seconds},
    {"ON", SearchOp::On, Argument::Date},
    {"RECENT", SearchOp::Recent},
    {"SAVEDATESUPPORTED", SearchOp::All},
    {"SAVEDBEFORE", SearchOp::SavedBefore, Argument::Date},
    {"SAVEDON", SearchOp::SavedOn, Argument::Date},
    {"SAVEDSINCE", SearchOp::SavedSince, Argument::Date},
    {"SEEN", SearchOp::Flag, Argument::None, SystemFlag::Seen},
    {"SENTBEFORE", SearchOp::SentBefore, Argument::Date},
    {"SENTON", SearchOp::SentOn, Argument::Date},
    {"SENTSINCE", SearchOp::SentSince, Argument::Date},
    {"SINCE", SearchOp::Since, Argument::Date},
    {"SMALLER", SearchOp::Smaller, Argument::Number},
    {"SUBJECT", SearchOp::Header, Argument::Text, SystemFlag::Seen, true, "Subject"},
    {"TEXT", SearchOp::Text, Argument::Text},
    {"THREADID", SearchOp::ThreadId, Argument::ObjectId},
    {"TO", SearchOp::Header, Argument::Text, SystemFlag::Seen, true, "To"},
    {"UID", SearchOp::Uids, Argument::Set},
    {"UIDAFTER", SearchOp::UidAfter, Argument::Uid},
    {"UIDBEFORE", SearchOp::UidBefore, Argument::Uid},
    {"UNANSWERED", SearchOp::Flag, Argument::None, SystemFlag::Answered, false},
    {"UNDELETED", SearchOp::Flag, Argument::None, SystemFlag::Deleted, false},
    {"UNDRAFT", SearchOp::Flag, Argument::None, SystemFlag::Draft, false},
    {"UNFLAGGED", SearchOp::Flag, Argument::None, SystemFlag::Flagged, false},
    {"UNKEYWORD", SearchOp::Keyword, Argument::Keyword, SystemFlag::Seen, false},
    {"UNSEEN", SearchOp::Flag, Argument::None, SystemFlag::Seen, false},
    {"YOUNGER", SearchOp::Younger, Argument::Seconds},
};
static_assert(std::ranges::is_sorted(kKeys, {}, &KeyRow::word));

// RFC 7162 3.1.5: a message has one mod-sequence here, so the entry that may be named counts for
// nothing; it must be one.
Result<std::uint64_t> read_mod_seq(Lexer& lexer) {
    if (lexer.peek() == '"') {
        const std::string entry = TRY(lexer.string());
        if (!to_lower(entry).starts_with("/flags/")) {
            return lexer.bad("an entry in /flags/");
        }
        TRY(lexer.space());
        if (!lexer.take_word("priv") && !lexer.take_word("shared") && !lexer.take_word("all")) {
            return lexer.bad("priv, shared or all");
        }
        TRY(lexer.space());
    }
    return lexer.number64();
}

const KeyRow* find_key(std::string_view word) {
    const std::string upper = to_upper(word);
    const auto* row = std::ranges::lower_bound(kKeys, std::string_view(upper), {}, &KeyRow::word);
    return row != std::end(kKeys) && row->word == upper ? row : nullptr;
}

bool is_set_char(char c) {
    return is_digit(c) || c == '*' || c == ':' || c == ',' || c == '$';
}

Result<std::chrono::sys_days> read_date(Lexer& lexer) {
    if (lexer.peek() == '"') {
        return parse_date(TRY(lexer.string()));
    }
    return parse_date(TRY(lexer.atom()));
}

Result<std::string> read_needle(Lexer& lexer) {
    std::string out = TRY(lexer.astring());
    if (out.size() > limits::search_needle_size_max) {
        return peer_error(ErrorCode::LimitExceeded, "Search text is too long");
    }
    if (!is_utf8(out)) {
        return peer_error(ErrorCode::Invalid, "Search text is not UTF-8");
    }
    return out;
}

// RFC 8474 7.
Result<std::string> read_object_id(Lexer& lexer) {
    constexpr std::size_t kSizeMax = 255;
    const auto is_id_char = [](char c) { return is_alnum(c) || c == '_' || c == '-'; };
    const std::string_view id = TRY(lexer.run(is_id_char, "an ObjectID"));
    if (id.size() > kSizeMax) {
        return peer_error(ErrorCode::Invalid, "An ObjectID has at most 255 characters");
    }
    return std::string(id);
}

// One operator that waits for operands. And takes any number (until ")" when it is a list).
struct Open {
    std::uint32_t node = 0;
    std::uint32_t wanted = 0;  // operands still to come; 0 for a list, which ends by ")"
    bool is_list = false;
    bool is_fuzzy = false;
};

class Parser {
public:
    explicit Parser(Lexer& lexer) : lexer_(lexer) {}

    Result<SearchProgram> run() {
        TRY(read_returns());
        TRY(read_charset());
        return read_keys();
    }

    Result<SearchProgram> run_criteria() {
        TRY(lexer_.space());
        TRY(read_charset_name());
        return read_keys();
    }

private:
    Result<SearchProgram> read_keys() {
        program_.nodes.push_back({.op = SearchOp::And});
        for (;;) {
            TRY(read_key());
            TRY(close_operators());
            if (open_.empty() && lexer_.end()) {
                break;
            }
            TRY(lexer_.space());
        }
        program_.nodes.front().end = size();
        // RFC 6203 4.
        if (program_.returns.relevancy && !program_.is_fuzzy()) {
            return peer_error(ErrorCode::Invalid, "RELEVANCY needs a FUZZY key");
        }
        return std::move(program_);
    }

    [[nodiscard]] std::uint32_t size() const {
        return static_cast<std::uint32_t>(program_.nodes.size());
    }

    Result<> read_returns() {
        const std::size_t start = lexer_.offset();
        TRY(lexer_.space());
        if (!lexer_.take_word("RETURN")) {
            lexer_.rewind(start);
            return {};
        }
        TRY(lexer_.space());
        program_.returns = TRY(read_search_returns(lexer_));
        return {};
    }

    // The SP before the first key, and CHARSET if there is one.
    Result<> read_charset() {
        TRY(lexer_.space());
        if (!lexer_.take_word("CHARSET")) {
            return {};
        }
        program_.has_charset = true;
        TRY(lexer_.space());
        return read_charset_name();
    }

    // With the SP behind it.
    Result<> read_charset_name() {
        const std::string charset = TRY(lexer_.astring());
        if (!equals_ignore_case(charset, "UTF-8") && !equals_ignore_case(charset, "US-ASCII")) {
            return peer_error(ErrorCode::Unsupported, "Charset is not supported");
        }
        return lexer_.space();
    }

    Result<std::uint32_t> add_node(SearchNode node) {
        if (program_.nodes.size() > limits::imap_search_keys_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many search keys");
        }
        node.end = size() + 1;
        program_.nodes.push_back(std::move(node));
        return size() - 1;
    }

    Result<> open(SearchOp op, std::uint32_t wanted, bool is_list) {
        if (open_.size() == limits::imap_nesting_max) {
            return peer_error(ErrorCode::LimitExceeded, "Search keys are nested too deeply");
        }
        open_.push_back({TRY(add_node({.op = op})), wanted, is_list});
        return {};
    }

    // Reads operators down to and with one leaf.
    Result<> read_key() {
        for (;;) {
            if (lexer_.take('(')) {
                TRY(open(SearchOp::And, 0, true));
            } else if (lexer_.take_word("NOT")) {
                TRY(open(SearchOp::Not, 1, false));
                TRY(lexer_.space());
            } else if (lexer_.take_word("FUZZY")) {
                // A list of one key, which is another only in how its keys match.
                TRY(open(SearchOp::And, 1, false));
                open_.back().is_fuzzy = true;
                TRY(lexer_.space());
            } else if (lexer_.take_word("OR")) {
                TRY(open_or());
                TRY(lexer_.space());
            } else {
                return read_leaf();
            }
        }
    }

    // "OR a OR b OR c d", as clients write long alternatives, is one node: an OR as the last
    // operand of an OR adds one operand to it and no level.
    Result<> open_or() {
        if (!open_.empty() && program_.nodes[open_.back().node].op == SearchOp::Or &&
            open_.back().wanted == 1) {
            open_.back().wanted = 2;
            return {};
        }
        return open(SearchOp::Or, 2, false);
    }

    // After an operand: ends every operator that is now complete.
    Result<> close_operators() {
        while (!open_.empty()) {
            Open& top = open_.back();
            if (top.is_list) {
                if (!lexer_.take(')')) {
                    return {};
                }
            } else if (--top.wanted > 0) {
                return {};
            }
            program_.nodes[top.node].end = size();
            for (std::uint32_t at = top.node; top.is_fuzzy && at < size(); ++at) {
                program_.nodes[at].fuzzy = true;
            }
            open_.pop_back();
        }
        return {};
    }

    Result<> read_leaf() {
        if (is_set_char(lexer_.peek())) {
            return add_set(SearchOp::SequenceNumbers);
        }
        const std::string_view word = TRY(lexer_.atom());
        if (equals_ignore_case(word, "NEW")) {
            // RFC 3501 6.4.4: (RECENT UNSEEN).
            const std::uint32_t both = TRY(add_node({.op = SearchOp::And}));
            TRY(add_node({.op = SearchOp::Recent}));
            TRY(add_node({.op = SearchOp::Flag, .wanted = false, .flag = SystemFlag::Seen}));
            program_.nodes[both].end = size();
            return {};
        }
        const KeyRow* row = find_key(word);
        if (row == nullptr) {
            return peer_error(ErrorCode::Invalid,
                              "Unknown search key " + std::string(word.substr(0, 40)));
        }
        if (row->argument != Argument::None) {
            TRY(lexer_.space());
        }
        if (row->argument == Argument::Set) {
            return add_set(row->op);
        }
        SearchNode node{.op = row->op,
                        .wanted = row->wanted,
                        .flag = row->flag,
                        .name = std::string(row->name)};
        TRY(read_argument(*row, node));
        TRY(add_node(std::move(node)));
        return {};
    }

    Result<> read_argument(const KeyRow& row, SearchNode& node) {
        switch (row.argument) {
            case Argument::None:
            case Argument::Set: break;
            case Argument::Date: node.day = TRY(read_date(lexer_)); break;
            case Argument::Number: node.number = TRY(lexer_.number64()); break;
            case Argument::Seconds:
            case Argument::Uid: node.number = TRY(lexer_.nz_number()); break;
            case Argument::ModSeq: node.number = TRY(read_mod_seq(lexer_)); break;
            case Argument::Text: node.text = TRY(read_needle(lexer_)); break;
            case Argument::Keyword: node.text = TRY(read_keyword(lexer_)); break;
            case Argument::ObjectId: node.text = TRY(read_object_id(lexer_)); break;
            case Argument::HeaderAndText:
                node.name = TRY(read_needle(lexer_));
                TRY(lexer_.space());
                node.text = TRY(read_needle(lexer_));
                break;
        }
        return {};
    }

    Result<> add_set(SearchOp op) {
        const std::string_view text = TRY(lexer_.run(is_set_char, "a sequence set"));
        const std::uint32_t node = TRY(add_node({.op = op}));
        program_.nodes[node].set = static_cast<std::uint32_t>(program_.sets.size());
        program_.sets.push_back(TRY(SequenceSet::parse(text)));
        if (program_.sets.back().is_saved()) {
            program_.nodes[node].op =
                SearchOp::Uids;  // RFC 5182 2.1: it names messages, not numbers.
        }
        return {};
    }

    Lexer& lexer_;
    SearchProgram program_;
    std::vector<Open> open_;
};

}  // namespace

bool SearchProgram::uses_mod_seqs() const {
    return std::ranges::any_of(nodes,
                               [](const SearchNode& node) { return node.op == SearchOp::ModSeq; });
}

bool SearchProgram::is_fuzzy() const {
    return std::ranges::any_of(nodes, &SearchNode::fuzzy);
}

bool SearchProgram::uses_sequence_numbers() const {
    return std::ranges::any_of(
        nodes, [](const SearchNode& node) { return node.op == SearchOp::SequenceNumbers; });
}

Result<SearchProgram> parse_search(Lexer& lexer) {
    return Parser(lexer).run();
}

Result<SearchProgram> parse_search_criteria(Lexer& lexer) {
    return Parser(lexer).run_criteria();
}

}  // namespace godwit::imap
