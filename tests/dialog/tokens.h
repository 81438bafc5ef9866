// Access tokens of the issuer https://id.example.test for dialogs, made once with other software
// and signed with an Ed25519 key whose public half is kTokenKeys. "new_key" is of a key that is not
// in it. All but "short" hold to the year 2100.
#pragma once

#include <string_view>
#include <utility>

namespace godwit::dialog {

inline constexpr std::string_view kTokenKeys =
    R"({"keys":[{"kty":"OKP","kid":"d1","crv":"Ed25519","x":"RfD6pgLYLCAcr5IMqbdkaObP_pvbgG)"
    R"(tZzZKWNcWVDio"}]})";

inline constexpr std::pair<std::string_view, std::string_view> kTokens[] = {
    {"alice",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
     "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.hweQ0mXR0YDFjAz-sxHzReVeZ20QVdsB"
     "jvxYZ7pfb7iD5I7sRcfK77U66UH4S5HmEeyUYXhoYoqZxUN9dzUYCQ"},
    {"bob",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImJvYkBleGFtcGxlLnRlc3QiLCJzY29wZSI6Im9wZW5pZCBt"
     "YWlsIiwiaWF0IjoxNzY3MjI1NTQwLCJleHAiOjQxMDI0NDQ4MDB9.TWyH31cEyZJy93eHM4--mJTEPUxFhiLJYlg"
     "m-OWVdqz8x7_D39u27XxAZla0l3QuWh6lqjPujW_2Rc9j8a63AQ"},
    {"ghost",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6Imdob3N0QGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
     "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.E7FgBcGhsaFs67pwk39peTNJ5tPRJ9L7"
     "StZ4dCFmeSZQ799bvO57VF2Jf651QNq1ZMVA7SLi3pMtmEhQVqKCDw"},
    {"short",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
     "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6MTc2NzIyOTIwMH0.Fzz8WmBmVqgXr_si3FG1kJ4RtXZIAXwy"
     "_Kw7Paj2VrRAFkTtZZ6mmwixkYdHEsVNhtJuiJuZjAWYAU522rOMAw"},
    {"other_audience",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6ImNhbGVuZGFyIiwiZW1haWwiOiJhbGljZUBleGFtcGxlLnRlc3QiLCJzY29wZSI6Im9w"
     "ZW5pZCBtYWlsIiwiaWF0IjoxNzY3MjI1NTQwLCJleHAiOjQxMDI0NDQ4MDB9.LCQ1e5ThIqNB2cKxWV2-yfNfPYi"
     "fZCsR3QAXM0Zc4oOVm2p5FHjDEAq5Smjv4UlVxHoqXRhZ3QCZZNnw2LlCAA"},
    {"other_issuer",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmVsc2V3"
     "aGVyZS50ZXN0IiwiYXVkIjoibWFpbCIsImVtYWlsIjoiYWxpY2VAZXhhbXBsZS50ZXN0Iiwic2NvcGUiOiJvcGVu"
     "aWQgbWFpbCIsImlhdCI6MTc2NzIyNTU0MCwiZXhwIjo0MTAyNDQ0ODAwfQ.8xEN4QzgvQxwTag9cNKm0GIU_MbRn"
     "-J4N5ojmVLP5z2vcH0qEYTZqwvj2iMxp_WJ2qLXvrsqkCEnBoc_nCRgDg"},
    {"no_scope",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
     "IiwiaWF0IjoxNzY3MjI1NTQwLCJleHAiOjQxMDI0NDQ4MDB9.GSxsmAb1G2wY-RJvTk_1KOT3uL3V1WuvrpbY2g2"
     "euAMgAO-72xxsApXT5KI8Xy1PGB0wNnbcgo4l9RBGmAuSAw"},
    {"forged",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
     "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.ZmO_AH93X2VK0a9fYaHI54PovSxIqzZv"
     "AeD7Bd11O4834grQy5KhekVdOTXfXqhXSzXq6EZqa8GVo4cI-1ttDQ"},
    {"new_key",
     "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQyIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
     "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
     "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.iGBAoofyGdnJ0t5uWEIoTRYcyzmdOPxY"
     "2ktHD-d-JO8-THtUWVwHDqJ8HPmjQp-BoyXUfc3KtC_xsrkIIV-hDA"},
};

}  // namespace godwit::dialog
