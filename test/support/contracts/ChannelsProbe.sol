// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ISettlementChannels} from "../../../settlement-engines/evm/contract/ISettlementChannels.sol";

/// @notice Reads many figures of a channels contract in one call.
contract ChannelsProbe {
    function channels(ISettlementChannels target, bytes32[] calldata ids)
        external
        view
        returns (ISettlementChannels.Channel[] memory found)
    {
        found = new ISettlementChannels.Channel[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) found[i] = target.channelOf(ids[i]);
    }

    /// @return owed per account and token, in this order
    /// @return balances likewise
    function purses(ISettlementChannels target, address[] calldata accounts, address[] calldata tokens)
        external
        view
        returns (uint256[] memory owed, uint256[] memory balances)
    {
        owed = new uint256[](accounts.length * tokens.length);
        balances = new uint256[](owed.length);
        uint256 next;
        for (uint256 i = 0; i < accounts.length; ++i) {
            for (uint256 j = 0; j < tokens.length; ++j) {
                owed[next] = target.owed(accounts[i], tokens[j]);
                balances[next] =
                    tokens[j] == address(0) ? accounts[i].balance : IERC20(tokens[j]).balanceOf(accounts[i]);
                ++next;
            }
        }
    }
}
