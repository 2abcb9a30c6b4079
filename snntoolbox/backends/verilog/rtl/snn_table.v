// Finds what a table of counts has at a potential V: threshold times the entry at floor(V / threshold) - first, or times
// the first or last entry for those beyond. No divider and no multiplier. The index is found by its binary digits, the
// highest first: one is set where what is left reaches threshold << digit, so that less than nothing gives 0, and too
// much all ones. As many thresholds as the entry says are then added by its binary digits. `offset` is first * threshold,
// `row` where the neuron's row begins. `run` stays up to `done`. Takes DIGITS + COUNT + 3 clocks.
module snn_table #(
    parameter BITS = 16,
    parameter WIDE = 24,
    parameter DIGITS = 8,
    parameter [DIGITS-1:0] LAST = 255,
    parameter COUNT = 4,
    parameter LEFT = 3,
    parameter [LEFT-1:0] DIGITS_TOP = 7,
    parameter [LEFT-1:0] COUNT_TOP = 3,
    parameter ADDRESS = 8,
    parameter DEPTH = 256,
    parameter FILE = ""
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   run,
    input  wire signed [BITS-1:0] potential,
    input  wire [BITS-1:0]        threshold,
    input  wire signed [WIDE-1:0] offset,
    input  wire [ADDRESS-1:0]     row,
    output wire                   done,
    output wire [BITS-1:0]        opened
);
    localparam [2:0] IDLE = 3'd0, SHIFT = 3'd1, DIVIDE = 3'd2, READ = 3'd3, ADD = 3'd4;
    reg [2:0] state;
    // The digit of the index, or of the entry, whose turn it is.
    reg [LEFT-1:0] left;
    reg signed [WIDE-1:0] rest, height;
    reg [DIGITS-1:0] index;
    reg [BITS-1:0] sum;
    wire [COUNT-1:0] entry;

    wire signed [WIDE-1:0] less = rest - ((state == SHIFT) ? offset : height);
    wire fits = ~less[WIDE-1];
    wire [DIGITS-1:0] bounded;
    generate
        if (LAST == {DIGITS{1'b1}}) begin : all
            assign bounded = index;
        end else begin : fewer
            assign bounded = (index > LAST) ? LAST : index;
        end
    endgenerate
    // Words may hold bits that lead nowhere.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [ADDRESS+DIGITS-1:0] place = {{ADDRESS{1'b0}}, bounded};
    wire [COUNT-1:0] from_here = entry >> left;
    /* verilator lint_on UNUSEDSIGNAL */
    assign opened = (sum << 1) + (from_here[0] ? threshold : {BITS{1'b0}});
    assign done = (state == ADD) & (left == {LEFT{1'b0}});

    always @(posedge clk) begin
        if (rst) state <= IDLE;
        else case (state)
            IDLE: if (run) state <= SHIFT;
            SHIFT: state <= DIVIDE;
            DIVIDE: if (left == {LEFT{1'b0}}) state <= READ;
            READ: state <= ADD;
            default: if (done) state <= IDLE;
        endcase
        case (state)
            IDLE: begin
                rest <= {{(WIDE - BITS){potential[BITS-1]}}, potential};
                height <= {{(WIDE - BITS){1'b0}}, threshold} << (DIGITS - 1);
                left <= DIGITS_TOP;
            end
            SHIFT: rest <= less;
            DIVIDE: begin
                if (fits) rest <= less;
                height <= height >>> 1;
                index <= {index[DIGITS-2:0], fits};
                left <= left - 1'b1;
            end
            READ: begin
                sum <= {BITS{1'b0}};
                left <= COUNT_TOP;
            end
            default: begin
                sum <= opened;
                left <= left - 1'b1;
            end
        endcase
    end

    snn_rom #(.WIDTH(COUNT), .ADDRESS(ADDRESS), .DEPTH(DEPTH), .FILE(FILE)) entries (
        .clk(clk), .read(state == READ), .address(row + place[ADDRESS-1:0]), .data(entry)
    );
endmodule
