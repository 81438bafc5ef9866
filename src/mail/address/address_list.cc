#include "mail/address/address_list.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/text/lexical.h"

namespace godwit::mail {
namespace {

// One walk over the field. What stands before "<", "@", ":" or "," is gathered twice: as a phrase
// with its spaces, and as the last dotted word, which is the local part should an "@" come.
class ListReaderView {
public:
    explicit ListReaderView(std::string_view body) : lexer_(body) {}

    AddressList run() {
        while (!out_.truncated) {
            const bool spaced = lexer_.skip_cfws(&comment_);
            if (lexer_.at_end()) {
                break;
            }
            step(spaced);
        }
        end_item();
        if (in_group_) {
            out_.malformed = true;
            end_group();
        }
        return std::move(out_);
    }

private:
    void step(bool spaced) {
        const char c = lexer_.peek();
        if (c == ',') {
            lexer_.advance(1);
            end_item();
        } else if (c == ';') {
            lexer_.advance(1);
            end_item();
            // Outside a group it is what some mailers put between addresses.
            in_group_ ? end_group() : guess();
        } else if (item_done_) {
            // RFC 5322 3.4 has nothing after an address but a comma.
            guess();
            skip_word();
        } else if (c == '<') {
            angle_address();
        } else if (c == '@') {
            lexer_.advance(1);
            bare_address();
        } else if (c == ':') {
            lexer_.advance(1);
            begin_group();
        } else {
            word(spaced);
        }
    }

    void guess() { out_.malformed = true; }

    void skip_word() {
        if (lexer_.peek() == '"') {
            (void)lexer_.take_quoted_string();
        } else if (lexer_.take_dot_atom().empty()) {
            lexer_.advance(1);
        }
    }

    void word(bool spaced) {
        const char c = lexer_.peek();
        std::string text;
        if (c == '"') {
            text = lexer_.take_quoted_string();
        } else {
            text = lexer_.take_dot_atom();
            if (text.empty()) {
                guess();
                // "[tag] Name <a@b>" and the like: keep it as part of the name.
                text = std::string(1, c);
                lexer_.advance(1);
            }
        }
        const bool glued = c != '"' && (text.starts_with('.') || last_dot_);
        if (spaced && has_word_ && !glued) {
            local_.clear();
            ++words_;
        }
        if (spaced && has_word_) {
            phrase_.push_back(' ');
        }
        phrase_ += text;
        local_ += text;
        last_dot_ = c != '"' && text.ends_with('.');
        has_word_ = true;
    }

    // "@" came: what was gathered ends in the local part (RFC 5322 3.4.1).
    void bare_address() {
        if (words_ > 0) {
            guess();  // "John Doe john@example.org"
            phrase_.resize(phrase_.size() - std::min(phrase_.size(), local_.size()));
            item_.name = std::string(trim(phrase_));
        }
        item_.mailbox = std::move(local_);
        item_.host = domain();
        if (item_.mailbox.empty() || item_.host.empty()) {
            guess();
        }
        has_item_ = true;
        item_done_ = true;
    }

    std::string domain() {
        std::string host;
        for (;;) {
            lexer_.skip_cfws(&comment_);
            if (lexer_.peek() == '[' && host.empty()) {
                return lexer_.take_domain_literal();
            }
            const std::string_view piece = lexer_.take_dot_atom();
            host += piece;
            // Obsolete domains have blanks around their dots (RFC 5322 4.4).
            LexicalView ahead = lexer_;
            if (piece.empty() || !ahead.skip_cfws() ||
                !(host.ends_with('.') || ahead.peek() == '.')) {
                return host;
            }
        }
    }

    // [display-name] "<" [route ":"] addr-spec ">"
    void angle_address() {
        lexer_.advance(1);
        item_.name = std::string(trim(phrase_));
        lexer_.skip_cfws(&comment_);
        if (lexer_.peek() == '@') {
            route();
        }
        std::string local;
        while (!lexer_.at_end() && lexer_.peek() != '@' && lexer_.peek() != '>' &&
               lexer_.peek() != ',') {
            if (lexer_.peek() == '"') {
                local += lexer_.take_quoted_string();
            } else if (const std::string_view atom = lexer_.take_dot_atom(); !atom.empty()) {
                local += atom;
            } else {
                guess();
                lexer_.advance(1);
            }
            lexer_.skip_cfws(&comment_);
        }
        item_.mailbox = std::move(local);
        if (lexer_.take('@')) {
            item_.host = domain();
        }
        if (item_.mailbox.empty() || item_.host.empty()) {
            guess();
        }
        has_item_ = true;
        item_done_ = true;
        lexer_.skip_cfws(&comment_);
        while (!lexer_.at_end() && lexer_.peek() != '>' && lexer_.peek() != ',') {
            guess();
            skip_word();
        }
        if (!lexer_.take('>')) {
            guess();
        }
    }

    // RFC 5322 4.4: obs-route = obs-domain-list ":".
    void route() {
        std::string route;
        while (!lexer_.at_end() && lexer_.peek() != ':' && lexer_.peek() != '>') {
            if (lexer_.peek() == '[') {
                route += lexer_.take_domain_literal();
            } else {
                route.push_back(lexer_.peek());
                lexer_.advance(1);
            }
            lexer_.skip_cfws(&comment_);
        }
        if (lexer_.take(':')) {
            item_.route = std::move(route);
            lexer_.skip_cfws(&comment_);
        } else {
            guess();
        }
    }

    void begin_group() {
        if (in_group_ || !has_word_) {
            guess();  // Groups do not nest (RFC 5322 3.4).
            return;
        }
        ListedAddress start;
        start.kind = ListedAddress::Kind::GroupStart;
        start.mailbox = std::string(trim(phrase_));
        add(std::move(start));
        in_group_ = true;
        reset();
    }

    void end_group() {
        ListedAddress end;
        end.kind = ListedAddress::Kind::GroupEnd;
        // Groups are always closed: the bound may be passed by this one.
        out_.items.push_back(std::move(end));
        in_group_ = false;
    }

    void end_item() {
        if (!has_item_ && has_word_) {
            // A name without an address: shown as such, never an identity.
            guess();
            item_.mailbox = std::string(trim(phrase_));
            has_item_ = !item_.mailbox.empty();
        }
        if (has_item_) {
            if (item_.name.empty()) {
                item_.name = std::string(trim(comment_));
            }
            add(std::move(item_));
        }
        reset();
    }

    void add(ListedAddress item) {
        if (out_.items.size() >= limits::header_addresses_max) {
            out_.truncated = true;
            return;
        }
        out_.items.push_back(std::move(item));
    }

    void reset() {
        item_ = {};
        phrase_.clear();
        local_.clear();
        comment_.clear();
        words_ = 0;
        has_word_ = has_item_ = item_done_ = last_dot_ = false;
    }

    LexicalView lexer_;
    AddressList out_;
    ListedAddress item_;
    std::string phrase_;     // Words with their spaces.
    std::string local_;      // The last word, dots and what they join.
    std::string comment_;    // The last comment of this item.
    std::size_t words_ = 0;  // Words before `local_`.
    bool has_word_ = false;
    bool has_item_ = false;
    bool item_done_ = false;
    bool in_group_ = false;
    bool last_dot_ = false;
};

}  // namespace

Result<Address> ListedAddress::address() const {
    return make_address(mailbox, host);
}

AddressList parse_address_list(std::string_view body) {
    return ListReaderView(body).run();
}

}  // namespace godwit::mail
