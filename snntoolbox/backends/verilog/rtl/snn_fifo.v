// A queue of 2**LOG2_DEPTH words with valid/ready handshakes; LOG2_DEPTH = 0 is a single register.
// in_ready never depends on in_valid, so a fork may take the AND of its branches.
module snn_fifo #(
    parameter WIDTH = 8,
    parameter LOG2_DEPTH = 2
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in_data,
    output wire             out_valid,
    input  wire             out_ready,
    output wire [WIDTH-1:0] out_data
);
    wire push = in_valid & in_ready;
    wire pop = out_valid & out_ready;
    generate
        if (LOG2_DEPTH == 0) begin : single
            reg full;
            reg [WIDTH-1:0] word;
            assign in_ready = ~full;
            assign out_valid = full;
            assign out_data = word;
            always @(posedge clk) begin
                if (push) word <= in_data;
                if (rst) full <= 1'b0;
                else if (push) full <= 1'b1;
                else if (pop) full <= 1'b0;
            end
        end else begin : queue
            reg [WIDTH-1:0] words [0:(1 << LOG2_DEPTH) - 1];
            // One bit more than an address: equal pointers are empty, pointers that differ in the top bit alone full.
            reg [LOG2_DEPTH:0] head, tail;
            wire same = head[LOG2_DEPTH-1:0] == tail[LOG2_DEPTH-1:0];
            assign in_ready = ~(same & (head[LOG2_DEPTH] ^ tail[LOG2_DEPTH]));
            assign out_valid = head != tail;
            assign out_data = words[head[LOG2_DEPTH-1:0]];
            always @(posedge clk) begin
                if (push) words[tail[LOG2_DEPTH-1:0]] <= in_data;
                if (rst) begin
                    head <= {(LOG2_DEPTH + 1){1'b0}};
                    tail <= {(LOG2_DEPTH + 1){1'b0}};
                end else begin
                    if (pop) head <= head + 1'b1;
                    if (push) tail <= tail + 1'b1;
                end
            end
        end
    endgenerate
endmodule
