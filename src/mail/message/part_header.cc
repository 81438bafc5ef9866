#include "mail/message/part_header.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/text/lexical.h"

namespace godwit::mail {
namespace {

class PartFiller {
public:
    PartFiller(Part& part, std::size_t* budget) : part_(&part), budget_(budget) {}

    // `name` is what follows "Content-".
    void field(std::string_view name, std::string_view body) {
        if (is(name, "Type", kType)) {
            content_type(body);
        } else if (is(name, "Transfer-Encoding", kEncoding)) {
            encoding(body);
        } else if (is(name, "Disposition", kDisposition)) {
            ParameterizedValue value = parse_parameterized(body);
            whole_ = whole_ && !value.truncated;
            part_->disposition = keep(std::move(value.value));
            part_->disposition_parameters = keep(std::move(value.parameters));
        } else if (is(name, "ID", kId)) {
            part_->id = keep(unfold(body));
        } else if (is(name, "Description", kDescription)) {
            part_->description = keep(unfold(body));
        } else if (is(name, "MD5", kMd5)) {
            part_->md5 = keep(unfold(body));
        } else if (is(name, "Location", kLocation)) {
            part_->location = keep(unfold(body));
        } else if (is(name, "Language", kLanguage)) {
            languages(body);
        }
    }

    [[nodiscard]] bool has_type() const { return (seen_ & kType) != 0; }
    [[nodiscard]] bool is_whole() const { return whole_; }

private:
    static constexpr unsigned kType = 1, kEncoding = 2, kDisposition = 4, kId = 8,
                              kDescription = 16, kMd5 = 32, kLocation = 64, kLanguage = 128;

    // A later field of the same name is passed over.
    bool is(std::string_view name, std::string_view wanted, unsigned bit) {
        if (name.size() != wanted.size() || (seen_ & bit) != 0 ||
            !equals_ignore_case(name, wanted)) {
            return false;
        }
        seen_ |= bit;
        return true;
    }

    // RFC 2045 5.2: what cannot be read is text/plain; a type without subtype too.
    void content_type(std::string_view body) {
        ParameterizedValue value = parse_parameterized(body);
        whole_ = whole_ && !value.truncated;
        const std::size_t slash = value.value.find('/');
        if (slash == std::string::npos || slash == 0 || slash + 1 == value.value.size()) {
            part_->type = "text";
            part_->subtype = "plain";
        } else {
            part_->type = keep(value.value.substr(0, slash));
            part_->subtype = keep(value.value.substr(slash + 1));
        }
        part_->parameters = keep(std::move(value.parameters));
    }

    void encoding(std::string_view body) {
        LexicalView lexer(body);
        lexer.skip_cfws();
        const std::string_view token = lexer.take_token();
        part_->encoding = parse_transfer_encoding(token);
        if (part_->encoding == TransferEncoding::Other) {
            part_->encoding_name = keep(std::string(token));
        }
    }

    void languages(std::string_view body) {
        LexicalView lexer(body);
        while (!lexer.at_end() && part_->languages.size() < limits::mime_languages_max) {
            lexer.skip_cfws();
            const std::string_view tag = lexer.take_token();
            if (!tag.empty()) {
                part_->languages.push_back(keep(std::string(tag)));
            } else {
                lexer.advance(1);
            }
        }
    }

    std::string keep(std::string value) {
        if (value.size() > limits::mime_parameter_size_max) {
            value.resize(limits::mime_parameter_size_max);
            whole_ = false;
        }
        if (value.size() > *budget_) {
            whole_ = false;
            return {};
        }
        *budget_ -= value.size();
        return value;
    }

    std::vector<Parameter> keep(std::vector<Parameter> parameters) {
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            const std::size_t cost = parameters[i].name.size() + parameters[i].value.size();
            if (cost > *budget_) {
                whole_ = false;
                parameters.resize(i);
                break;
            }
            *budget_ -= cost;
        }
        return parameters;
    }

    Part* part_;
    std::size_t* budget_;
    unsigned seen_ = 0;
    bool whole_ = true;
};

}  // namespace

bool fill_part(Part& part, std::string_view block, const HeaderIndex& index, DefaultType type,
               std::size_t* budget) {
    constexpr std::string_view kPrefix = "Content-";
    PartFiller filler(part, budget);
    for (const HeaderField& field : index.fields) {
        const std::string_view name = field.name(block);
        if (name.size() > kPrefix.size() && (name.front() | 0x20) == 'c' &&
            starts_with_ignore_case(name, kPrefix)) {
            filler.field(name.substr(kPrefix.size()), field.body(block));
        }
    }
    if (!filler.has_type()) {
        if (type == DefaultType::Message) {
            part.type = "message";
            part.subtype = "rfc822";
        } else {
            part.parameters = {{"charset", "us-ascii"}};  // RFC 2045 5.2
        }
    }
    return filler.is_whole();
}

}  // namespace godwit::mail
